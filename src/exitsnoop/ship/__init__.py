"""A recording goes elsewhere: read with a durable cursor, delivered at least once."""
