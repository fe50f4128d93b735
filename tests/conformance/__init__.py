"""Tests of the format: vectors, damage, both decoders, samples."""
