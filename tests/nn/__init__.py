"""Tests of layers that train masks."""
