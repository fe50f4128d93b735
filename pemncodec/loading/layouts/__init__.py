"""The layouts in which a file can be loaded, one module each."""
