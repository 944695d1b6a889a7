"""Published figures repeated, models compared with recordings, coefficients fitted."""
