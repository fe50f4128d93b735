"""A network to the sections of a file, and back (spec sections 5 to 7)."""
