"""Passes on register accesses."""
