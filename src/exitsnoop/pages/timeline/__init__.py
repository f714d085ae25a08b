"""Time lines drawn: a page, and a trace for ui.perfetto.dev."""
