"""Tests of `pemncodec.hub`."""
