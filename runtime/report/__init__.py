"""The report of a run: one page for those who decide, with the figures behind it."""
