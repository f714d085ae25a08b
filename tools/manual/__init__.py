"""Makes the man pages and the completions of shells from the command line's own parsers."""
