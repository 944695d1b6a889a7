"""The kernels of attention: whole rows of scores, or chunks of keys."""
