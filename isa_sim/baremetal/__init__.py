"""Bare-metal programs on a single core."""
