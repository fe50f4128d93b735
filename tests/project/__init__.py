"""Tests of the repository: architecture, documentation, scripts."""
