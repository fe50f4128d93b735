"""The compiled loops, where they were built: `compiled` is the module, or None.

They are optional: every caller also has a numpy implementation with the same bits, and `PEMNCODEC_KERNELS=0` in the
environment chooses that. What numpy cannot do is the speed of memory: a lock-step row of rANS takes ten passes over
its lanes, and each of them holds the interpreter's lock for a moment, so that two threads wait for each other
(`python benchmarks/load.py` prints both).
"""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from types import ModuleType

from ..errors import PerformanceWarning

_CHOSEN = os.environ.get("PEMNCODEC_KERNELS") == "0"
# Bytes of tensors from which on it shows: below it takes less than half a second.
_MATTERS = 32 << 20
_said = False


def extension(name: str) -> ModuleType | None:
    """Return a compiled module of the package, or None if it is not built, or not wanted."""
    if _CHOSEN:
        return None
    try:
        return import_module(name)
    except ImportError:  # not built, or for another Python
        return None


compiled: ModuleType | None = extension("pemncodec.common._kernels")
_missing = compiled is None and not _CHOSEN


def say_if_missing(size: int) -> None:
    """Warn, once a process, that the compiled loops are not installed, if that matters.

    Args:
        size: bytes of tensors that are about to be coded.
    """
    global _said
    if not _missing or _said or size < _MATTERS:
        return
    _said = True
    warnings.warn(
        "the compiled loops of pemncodec are not installed, so this takes several times as long: install a C compiler, "
        "then 'pip install --force-reinstall --no-deps pemncodec'",
        PerformanceWarning,
        stacklevel=2,
    )
