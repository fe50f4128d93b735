"""Fuzzing: mutated files, checkpoints and metadata through everything that reads them.

    python -m fuzz --target container --cases 10000 --seed 1
    python -m fuzz --replay fuzz/corpus/faults/*

A case is bytes. It is made from the name of a target, a seed and a number, so that any case can be made again, and a
campaign goes on where another ended. What is made is valid, or nearly: sizes and checksums are repaired, so that a
mutation reaches the rule that it breaks. SECURITY.md says what must hold; `harness.py` says what counts as a fault.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "spec"
CORPUS = ROOT / "fuzz" / "corpus" / "faults"

# A process that forks must have no threads: this is read when numpy and torch are loaded.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# The decoder beside the specification, and the writer of its vectors, are modules without a package around them.
for _folder in (SPEC, SPEC / "vector_maker"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))
