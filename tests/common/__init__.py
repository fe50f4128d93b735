"""Tests of the compiled loops, files."""
