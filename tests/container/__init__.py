"""Tests of sources that are read by ranges."""
