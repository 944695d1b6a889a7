"""The race detector: every access ordered by vector clocks, or reported."""
