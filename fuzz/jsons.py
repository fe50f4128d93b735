"""JSON values of every kind, values changed, and text that is nearly JSON."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from .sandbox import ESCAPE, OUTWARD

# Of `pemn.original`, as the families have it.
DETAILS = [
    *("under", "prefix", "model", "parallel", "folder", "suffix", "of", "keep", "separate", "index", "b_mask", "mask"),
    *("scores", "bernoulli", "shape", "row_offsets"),
]
SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 0.5, 2.5, -0.0, 1e400, float("nan"), 10**30, "", "state_dict", "0.5", "weight"),
    *([], {}, [1], "module.", "float32", "x" * 2000, ESCAPE),
]


def any_json(rng: Random, depth: int = 0) -> Any:
    """A JSON value of any kind; now and then huge, deep or no number."""
    kind = rng.randrange(12 if depth < 3 else 8)
    if kind < 8:
        return rng.choice([*SCALARS, rng.choice(OUTWARD)])
    if kind < 10:
        return [any_json(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {
        rng.choice(["a", "model", "under", "prefix", "", "0", *OUTWARD]): any_json(rng, depth + 1) for _ in range(3)
    }


def other_json(value: Any, rng: Random) -> Any:
    """The value with something in it changed."""
    if isinstance(value, dict) and value and rng.randrange(5):
        made = dict(value)
        key = rng.choice(list(made))
        kind = rng.randrange(8)
        if kind == 0:
            del made[key]
        elif kind == 1:
            made[rng.choice(OUTWARD)] = made.pop(key)
        elif kind == 2:
            made[rng.choice(DETAILS)] = any_json(rng)
        else:
            made[key] = other_json(made[key], rng)
        return made
    if isinstance(value, list) and value and rng.randrange(5):
        made_list = list(value)
        at = rng.randrange(len(made_list))
        made_list[at] = other_json(made_list[at], rng)
        return made_list if rng.randrange(4) else made_list * 2
    if isinstance(value, str) and rng.randrange(2):
        return rng.choice([rng.choice(OUTWARD), ESCAPE, value + "x", value[:-1], ""])
    return any_json(rng)


def text_of(value: Any, rng: Random) -> str:
    """The value as JSON; now and then as what is nearly that."""
    text = json.dumps(value)
    kind = rng.randrange(14)
    if kind == 0:
        return text[: rng.randrange(len(text) + 1)]
    if kind == 1:
        return rng.choice(
            ["[" * 100_000, '{"a":' * 50_000, "1" * 5000, "{} {}", "\ufeff{}", "NaN", "{'a': 1}", '"\\ud800"']
        )
    return text
