"""Tests of coders of masks and blocks, deltas."""
