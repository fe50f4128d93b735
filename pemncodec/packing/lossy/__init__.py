"""Lossy conversions for inference, on request."""
