"""Tests of a checkpoint to a file."""
