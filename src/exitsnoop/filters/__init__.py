"""What to trace and what to collect: the table of filters, and what they decide."""
