"""The recording: exits kept in a directory of SQLite files, and read from there."""
