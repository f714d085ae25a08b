"""Bytes from the kernel -> model. _native/bpf/event.h defines the bytes."""
