"""Bytes of checkpoint files -> tensors, without running anything that a file names; `loading.py` chooses the reader."""
