"""A file to tensors, on any device and in any layout; and what was packed compared with its checkpoint."""
