"""Time lines: when each process of a build, or of a machine, ran, and what it waited for."""
