"""Pages: what a report has gathered, drawn as HTML or written for a terminal."""
