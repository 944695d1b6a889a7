"""Passes on kernels, and from kernels to register accesses."""
