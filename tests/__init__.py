"""Tests of pemncodec."""
