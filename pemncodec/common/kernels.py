"""The compiled loops, where they were built: `compiled` is the module, or None.

They are an option: every caller has a numpy way beside it that gives the same bits, and `PEMNCODEC_KERNELS=0` in the
environment chooses that. What numpy cannot do is the speed of memory: a lock-step row of rANS takes ten passes over
its lanes, and each of them holds the interpreter's lock for a moment, so that two threads wait for each other
(`python benchmarks/load.py` prints both).
"""

from __future__ import annotations

import os
from types import ModuleType


def _load() -> ModuleType | None:
    if os.environ.get("PEMNCODEC_KERNELS") == "0":
        return None
    try:
        from . import _kernels
    except ImportError:  # not built, or for another Python
        return None
    return _kernels


compiled: ModuleType | None = _load()
