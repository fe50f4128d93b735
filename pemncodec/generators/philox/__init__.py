"""Generators 1 and 2: Philox, and numbers from a table (spec sections 8.1 to 8.7)."""
