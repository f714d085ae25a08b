"""What to trace, and what to collect of it."""
