"""Patches of generated elements, applied to tensors (spec sections 4.5 and 8.9)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pemncodec.generators import patching


def put(values: torch.Tensor, patches: Sequence[tuple[int, int]], start: int = 0) -> None:
    """Words in the place of those elements that `values`, float32 from element `start` on, has."""
    places, words = _inside(values, patches, start)
    values.view(torch.int32)[places] = words


def add(values: torch.Tensor, patches: Sequence[tuple[int, int]], start: int = 0) -> None:
    """Words added to their bits, modulo 2^32."""
    places, words = _inside(values, patches, start)
    values.view(torch.int32)[places] += words


def _inside(values: torch.Tensor, patches: Sequence[tuple[int, int]], start: int) -> tuple[torch.Tensor, torch.Tensor]:
    places, words = patching.inside(patches, start, start + len(values))
    return torch.from_numpy(places).to(values.device), torch.from_numpy(words.view(np.int32)).to(values.device)
