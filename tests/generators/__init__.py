"""Generators in torch operations, against which those of the package are tested, and their tests."""
