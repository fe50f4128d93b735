"""Find the place in the stream of PyTorch's CPU generator (spec 8.8) where weights were drawn, for a given seed."""

from .search import Prober, probe, search
from .target import Found, Target, default_window

__all__ = ["Found", "Prober", "Target", "default_window", "probe", "search"]
