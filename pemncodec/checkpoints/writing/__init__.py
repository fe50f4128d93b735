"""State_dicts to files, whole or piece by piece."""
