"""The kernel: what it can do, what it is asked to do, and what its answers mean."""
