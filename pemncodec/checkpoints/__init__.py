"""Checkpoints of other programs: read, recognised, and written."""
