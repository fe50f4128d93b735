"""What `peers.py` compares: networks, formats, the floor of both, the measurement, and its table and picture."""
