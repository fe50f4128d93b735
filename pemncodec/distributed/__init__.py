"""`.pemn` files in `torch.distributed.checkpoint`: read by each rank for itself, and written by all together."""

from __future__ import annotations

from .reader import PemnReader
from .writer import PemnWriter

__all__ = ["PemnReader", "PemnWriter"]
