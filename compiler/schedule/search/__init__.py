"""Choosing tiles and chunks by closed forms of their cost."""
