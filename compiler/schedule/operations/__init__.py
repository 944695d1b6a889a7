"""From each kind of operation to its kernels and tasks."""
