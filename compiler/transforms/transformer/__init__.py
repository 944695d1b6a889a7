"""Passes on the `transformer` level."""
