"""Where in the stream of PyTorch's CPU generator (spec section 8.8) given weights were drawn, for a given seed."""

from .search import Prober, probe, search
from .target import Found, Target, default_window

__all__ = ["Found", "Prober", "Target", "default_window", "probe", "search"]
