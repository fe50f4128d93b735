"""Tests of checkpoints of other programs."""
