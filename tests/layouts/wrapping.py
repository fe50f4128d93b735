"""Keys and prefixes that projects and their users put around a state_dict, over the layers of hidden-networks.

A state_dict by itself, or nested under `state_dict` (hidden-networks, hydra, biprop, SupSup), `model_state_dict`
(IteRand, open_lth) or `model` (many training scripts); every key with `module.` (DataParallel), `_orig_mod.`
(torch.compile), both, or neither.
"""

from __future__ import annotations

from .case import Case, torch_case
from .hidden_networks import one_for_all, plain
from .parts import Shapes, prefixed, sgd
from .scored import evaluate_by, flat, masks_by, under

LAYERS: Shapes = {"features.0": (6, 3, 3, 3), "features.3": (6, 6, 3, 3), "classifier": (10, 24)}
KEYS = (None, "state_dict", "model_state_dict", "model")
PREFIXES = ("", "module.", "_orig_mod.")


def _case(key: str | None, prefix: str, seed: int) -> Case:
    state, effective = plain(LAYERS, 0.4, seed)
    state, effective = prefixed(state, prefix), prefixed(effective, prefix)
    beside = {"epoch": 3, "arch": "small", "best_acc1": 71.5, "optimizer": sgd(state, ("scores",)), "args": {"lr": 0.1}}
    rule, unwrap = one_for_all(0.4), under(key) if key else flat
    return torch_case(
        f"wrapping, {f'nested under {key}' if key else 'flat'}{f', {prefix}' if prefix else ''}",
        {"keep": 0.4},
        {key: state, **beside} if key else state,
        {"": effective},
        masks_by(rule, "scores", unwrap),
        evaluate_by(rule, "scores", unwrap),
    )


def cases() -> list[Case]:
    found = [_case(key, prefix, 100 + i) for i, key in enumerate(KEYS) for prefix in PREFIXES]
    return [*found, _case("state_dict", "module._orig_mod.", 110)]
