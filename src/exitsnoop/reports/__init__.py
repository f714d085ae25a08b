"""Reports: exits of a recording in, answers for people out."""
