"""Decoding on a device: packed bytes are sent there, and torch operations make the same bits of them as numpy does.

No operation here depends on the order in which a device works, and the only one on floats is the multiplication of
spec section 8.4. Everything runs on any device of torch that has 64-bit integers, the CPU included.
"""

from __future__ import annotations

from .devices import expands, moved, usable
from .load import load_entries_on_device

__all__ = ["expands", "load_entries_on_device", "moved", "usable"]
