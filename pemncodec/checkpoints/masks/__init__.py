"""Masks that a checkpoint holds, or that follow from its scores."""
