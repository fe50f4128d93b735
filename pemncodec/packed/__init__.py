"""Weights that stay packed in memory: bits over a prototype, or over kept values, that networks run with."""
