"""The kernels: streams of transfers, jobs and core code for a launch."""
