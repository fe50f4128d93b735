"""Tests of the model and how layers are filled."""
