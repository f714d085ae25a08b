"""Where a process crashed, in functions: read from the files that it ran."""
