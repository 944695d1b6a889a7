"""The instruction set: one table, its encoding and decoding."""
