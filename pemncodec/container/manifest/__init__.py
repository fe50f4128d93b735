"""The tables of a file as rows and as bytes (spec sections 4.1 to 4.6)."""
