"""Tests of the bytes of a file, and of the tables of the format."""
