"""Tests of a file to tensors."""
