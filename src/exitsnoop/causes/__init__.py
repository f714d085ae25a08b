"""Evidence -> verdict: why a process ended."""
