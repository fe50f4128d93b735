"""Experimental: decoding on a device, where torch operations make of packed bytes the same bits as numpy does.

The tests run this code on the CPU, and it has not been run on a GPU.

No operation here depends on the order in which a device works, and the only one on floats is the multiplication of
spec section 8.4. Everything runs on any device of torch that has 64-bit integers, the CPU included.
"""

from __future__ import annotations

from .devices import expands, moved, usable
from .load import load_entries_on_device

__all__ = ["expands", "load_entries_on_device", "moved", "usable"]
