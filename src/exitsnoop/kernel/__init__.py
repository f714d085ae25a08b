"""What the kernel is asked and told, and what its answers mean."""
