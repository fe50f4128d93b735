"""The comparison of `peers.py`: networks, formats, the floor, the measurement, and its table and picture."""
