"""Checkpoints that the published code of other projects wrote: what a user of theirs has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import pemncodec

from .network import Masked, Network, top

# File, the fraction that edge-popup keeps (it is in no file), and whether layers are filled by common vectors.
FILES: dict[str, tuple[str, float | None, bool]] = {
    "sample: ConvMixer 64/4, random vector 1e-2": ("pemn_rp1e-2_copy.pt", 0.5, True),
    "sample: ConvMixer 64/4, one-layer": ("pemn_onelayer.pt", 0.5, True),
    "sample: MLP, signed constants, keep 0.3": ("hn_fc_sc_k03.pt", 0.3, False),
    "sample: CNN, torch prune 90 %": ("torchprune_l1_90.pt", None, False),
}


def sample(name: str, folder: Path) -> Network:
    """One of `FILES`.

    Raises:
        FileNotFoundError: it is not in the folder.
    """
    file, keep, shared = FILES[name]
    path = folder / file
    if not path.exists():
        raise FileNotFoundError(f"{file} is not in the folder of samples")
    checkpoint: dict[str, Any] = pemncodec.load_checkpoint(path)
    inner = checkpoint.get("state_dict") or checkpoint.get("model_state_dict") or checkpoint
    tensors, masked = effective(inner, keep)
    facts: dict[str, object] = {"origin": "trained by the published code of another project"}
    return Network(name, checkpoint, keep, tensors, masked, shared, facts=facts)


def effective(state: dict[str, torch.Tensor], keep: float | None) -> tuple[dict[str, torch.Tensor], dict[str, Masked]]:
    """The dense tensors of a checkpoint with scores or with `torch.nn.utils.prune`, and its masked ones."""
    tensors: dict[str, torch.Tensor] = {}
    masked: dict[str, Masked] = {}
    for name, tensor in state.items():
        if name.endswith((".scores", "_mask")):
            continue
        scores = name.removesuffix("weight") + "scores"
        mask = name.removesuffix("_orig") + "_mask"
        if name.endswith("weight") and scores in state:
            assert keep is not None
            masked[name] = Masked(tensor, top(state[scores], keep))
        elif name.endswith("_orig") and mask in state:
            name = name.removesuffix("_orig")
            masked[name] = Masked(tensor, state[mask] != 0)
        tensors[name] = masked[name].effective if name in masked else tensor
    return tensors, masked
