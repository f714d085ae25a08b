"""The recorder: exits from the tracer into a recording, for as long as the machine runs."""
