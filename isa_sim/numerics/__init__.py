"""Bit-exact numerics of the accelerators and of the core kernels, on ``ml_dtypes.bfloat16``."""
