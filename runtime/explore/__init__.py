"""Sweeps over machines: what a model costs on each, and which of them are worth building."""
