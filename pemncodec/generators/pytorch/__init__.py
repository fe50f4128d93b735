"""Generators 3 and 4: the draws of PyTorch's CPU generator (spec sections 8.8 and 8.9)."""
