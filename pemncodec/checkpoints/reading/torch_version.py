"""The oldest PyTorch that reads checkpoints of strangers without running their code."""

from __future__ import annotations

import re

import torch

from ...errors import UnsafeCheckpointError

# `weights_only=True` could be made to run code before 2.6 (CVE-2025-32434), and to corrupt memory before 2.10
# (CVE-2026-24747).
SAFE = (2, 10)


def require_safe_torch() -> None:
    """Refuse to read a checkpoint with a PyTorch whose `weights_only=True` does not keep code out.

    Raises:
        UnsafeCheckpointError: the installed PyTorch is older than 2.10, or a version that cannot be told.
    """
    found = re.match(r"(\d+)\.(\d+)", torch.__version__)
    if found is None or (int(found[1]), int(found[2])) < SAFE:
        raise UnsafeCheckpointError(
            f"PyTorch {torch.__version__} may still run code from a checkpoint (CVE-2025-32434, CVE-2026-24747): "
            f"install {SAFE[0]}.{SAFE[1]} or newer"
        )
