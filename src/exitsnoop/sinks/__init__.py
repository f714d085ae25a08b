"""Exits -> text, one module a format. Nothing here knows of BPF or of the command line."""
