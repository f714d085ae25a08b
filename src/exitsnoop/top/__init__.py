"""What `exitsnoop top` shows: deaths of a recording by group, live and in the past."""
