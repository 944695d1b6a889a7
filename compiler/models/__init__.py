"""Models built in memory with seeded random weights, no file and no download needed."""
