"""Files that are stored as differences from another file (spec sections 5.4 and 6.2)."""
