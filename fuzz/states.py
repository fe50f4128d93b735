"""Target `states`: state_dicts of every kind of value, described in JSON, packed with random options and loaded again.

What is a plain tensor, or a numpy array or a nested dictionary of such, under a name that no mask or score has to do
with comes back bit for bit, or the whole is refused: nothing that holds values is left out in silence.
"""

from __future__ import annotations

import json
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from . import values
from .harness import Target
from .packed import pack_and_compare

DTYPES = [
    *(
        "float32",
        "float32",
        "float32",
        "float16",
        "bfloat16",
        "float64",
        "int64",
        "int32",
        "uint8",
        "bool",
        "complex64",
    ),
    *("float8_e4m3fn", "int8", "complex128", "uint16", "float8_e8m0fnu", "complex32", "uint64"),
]
# The last parts of names, by what families read in them; the first are plain.
PLAIN = ("weight", "bias", "running_mean", "embedding", "num_batches_tracked", "gamma")
BESIDE = [
    *(
        "scores",
        "popup_scores",
        "weight_score",
        "weight_orig",
        "weight_mask",
        "mask",
        "b_mask",
        "mask_real",
        "bias_mask",
    ),
    *("scores.0", "scores.1", "mask_scores", "prune_mask", "binary_mask", "m", "weight_u", "weight_v", "weight_sigma"),
    *("parametrizations.weight.original", "parametrizations.weight.0.mask", "compressed", "bitmask", "row_offsets"),
    *(
        "shape",
        "weight_packed",
        "weight_scale",
        "scores_prune_threshold",
        "queue",
        "queue_scores",
        "score",
        "prototype",
    ),
]
HOWS = [
    *("plain", "plain", "plain", "plain", "plain", "transposed", "expanded", "parameter", "view", "conj", "neg"),
    *("numpy", "big-endian", "object-array", "sparse_coo", "sparse_csr", "meta", "quantized", "nested", "fake", "lazy"),
    *(
        "list",
        "scalar",
        "string",
        "none",
        "dict",
        "dict-of-numpy",
        "module",
        "subclass",
        "numpy-scalar",
        "set",
        "requires_grad",
    ),
]
VALUES = [
    "normal",
    "zeros",
    "mask",
    "mask",
    "half-zero",
    "nan",
    "integers",
    "minus-zero",
    "infinite",
    "equal",
    "signed-mask",
]
OPTIONS: dict[str, list[Any]] = {
    "keep": [0.5, 0.3, 1.0, 0, -1, 2, "0.5", None, {"*": 0.5}, {"l0*": 0.2, "*": 0.9}, {"none*": 0.5}, True, []],
    "rule": ["edge-popup", "kth-value", "top-k", "global", "sigmoid", "threshold", "other", 1, None],
    "threshold": [0.5, 0.0, -1.0, 1e308, "x", None],
    "ties": ["stable", "other", None],
    "family": ["dense", "edge-popup", "torch-prune", "supsup", "fedpm", "biprop", "masks-file", "piggyback", "no", ""],
    "key": ["state_dict", "model", "none", ""],
    "strip_prefix": [True, False],
    "mixed_prefixes": [True, False],
    "torch_seed": [1 << 70],  # the search for one takes memory of its own
    "find_seed": [3],
}
LOSSY: dict[str, list[Any]] = {"fold_batchnorm": [True, 1], "tensor_dtype": ["float16", "bfloat16", "int8"]}


def make(rng: Random) -> bytes:
    """A description."""
    layers = [rng.choice(["l0", "l1", "conv", "block.0.fc", "module.l0", "_orig_mod.module.l1", ""]) for _ in range(3)]
    entries: list[dict[str, Any]] = []
    calm = rng.randrange(2)  # plain names, and one value that may be odd: more of them are packed
    for layer in layers[: rng.randrange(1, 4)]:
        shape = rng.choice([[4, 6], [2, 3, 3, 3], [8], [], [0, 3], [1, 1], [16, 2]])
        masked = 0 if calm else rng.randrange(2)
        for end in [
            rng.choice(PLAIN),
            *([rng.choice(BESIDE)] if masked else []),
            *([rng.choice(BESIDE)] if masked else []),
        ]:
            name: Any = f"{layer}.{end}" if layer else end
            if rng.randrange(40) == 0:
                name = rng.choice([0, 7, name + "\n", "é" * 600, name + "\0", "\u202e" + name, "", None, 1.5])
            entries.append(_entry(name, shape if rng.randrange(6) else [3, 2], rng))
        if masked and rng.randrange(2):  # the pair that most families have
            entries[-1]["values"] = rng.choice(["mask", "normal"])
            entries[-1]["how"] = entries[0]["how"] = "plain"
    if calm:
        odd = rng.randrange(len(entries))
        for number, entry in enumerate(entries):
            entry["how"] = entry["how"] if number == odd else "plain"
    options = {name: rng.choice(choices) for name, choices in OPTIONS.items() if rng.randrange(40 if calm else 9) == 0}
    if any(BESIDE[0] in str(entry["key"]) for entry in entries) and rng.randrange(2):
        options["keep"] = 0.5
    if rng.randrange(12) == 0:
        options["masks"] = {str(entries[0]["key"]): _entry("m", entries[0]["shape"], rng) | {"values": "mask"}}
    if rng.randrange(12) == 0:
        name = rng.choice(list(LOSSY))
        options[name] = rng.choice(LOSSY[name])
    under = rng.choice([None, None, None, "state_dict", "model", "net", "module"])
    beside = rng.choice([{}, {}, {"epoch": 1}, {"optimizer": "dict"}, {"ema": "dict"}])
    recipe = {"under": under, "beside": beside, "ordered": rng.randrange(2), "entries": entries, "options": options}
    return json.dumps(recipe).encode()


def _entry(name: Any, shape: list[int], rng: Random) -> dict[str, Any]:
    return {
        "key": name,
        "how": rng.choice(HOWS) if rng.randrange(2) else "plain",
        "shape": shape,
        "dtype": rng.choice(DTYPES) if rng.randrange(3) == 0 else "float32",
        "values": rng.choice(VALUES) if rng.randrange(2) else "normal",
        "seed": rng.randrange(1000),
        "tied": rng.randrange(8) == 0,
    }


def mutate(data: bytes, rng: Random) -> bytes:
    """Another entry, or other options."""
    try:
        recipe = json.loads(data)
        entry = rng.choice(recipe["entries"])
        field = rng.choice(["how", "dtype", "values", "key"])
        other = json.loads(make(rng))
        entry[field] = rng.choice(other["entries"])[field]
        recipe["options"] = rng.choice([recipe, other])["options"]
        return json.dumps(recipe).encode()
    except (ValueError, KeyError, TypeError, IndexError):
        return make(rng)


# --- values -----------------------------------------------------------------------------------------------------


def tensor_of(entry: dict[str, Any]) -> torch.Tensor:
    """The plain tensor that an entry describes."""
    shape, kind = entry["shape"], entry["values"]
    g = torch.Generator().manual_seed(entry["seed"])
    base = torch.randn(shape, generator=g)
    made = {
        "normal": base,
        "zeros": torch.zeros(shape),
        "mask": (base > 0).float(),
        "half-zero": torch.where(base > 0, base, torch.zeros(())),
        "nan": torch.where(base > 0.5, torch.full((), float("nan")), base),
        "integers": (base * 5).round(),
        "minus-zero": torch.where(base > 0, base, torch.full((), -0.0)),
        "infinite": torch.where(base > 0.5, torch.full((), float("inf")), base),
        "equal": torch.full(shape, 0.5),
        "signed-mask": torch.sign(base),
    }[kind]
    dtype = getattr(torch, entry["dtype"])
    if not (dtype.is_floating_point or dtype.is_complex):
        made = torch.nan_to_num(made, 0.0, 100.0, 0.0).abs().clamp(0, 100)
    return made.to(dtype)


class Own(torch.Tensor):
    """A subclass of a tensor."""


def value_of(entry: dict[str, Any]) -> Any:
    """Return the value that an entry puts in the state_dict."""
    tensor, how = tensor_of(entry), entry["how"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _value(tensor, how)
    except (RuntimeError, TypeError, NotImplementedError):  # torch has no such thing of this type or shape
        return tensor


def _value(tensor: torch.Tensor, how: str) -> Any:
    if how == "transposed" and tensor.dim() == 2:
        return tensor.t().contiguous().t()
    if how == "expanded" and tensor.dim():
        return tensor[:1].expand(tensor.shape) if len(tensor) else tensor
    if how == "view":
        return torch.cat([tensor.reshape(-1), tensor.reshape(-1)])[tensor.numel() :].reshape(tensor.shape)
    if how == "conj" and tensor.is_complex():
        return tensor.conj()
    if how == "neg":
        return torch._neg_view(tensor) if tensor.dtype != torch.bool else tensor
    simple: dict[str, Callable[[], Any]] = {
        "parameter": lambda: torch.nn.Parameter(tensor, requires_grad=tensor.is_floating_point()),
        "requires_grad": lambda: tensor.clone().requires_grad_(tensor.is_floating_point()),
        "numpy": tensor.numpy,
        "big-endian": lambda: tensor.numpy().astype(tensor.numpy().dtype.newbyteorder(">")),
        "object-array": lambda: tensor.numpy().astype(object),
        "numpy-scalar": lambda: np.float32(0.5),
        "sparse_coo": tensor.to_sparse,
        "sparse_csr": lambda: tensor.reshape(len(tensor), -1).to_sparse_csr(),
        "meta": lambda: tensor.to("meta"),
        "quantized": lambda: torch.quantize_per_tensor(tensor.float(), 0.1, 3, torch.qint8),
        "nested": lambda: torch.nested.nested_tensor([tensor.float().reshape(-1)[:2], tensor.float().reshape(-1)[:3]]),
        "fake": lambda: _fake(tensor),
        "lazy": lambda: torch.nn.parameter.UninitializedParameter(),
        "list": tensor.tolist,
        "scalar": lambda: 0.5,
        "string": lambda: "text",
        "none": lambda: None,
        "dict": lambda: {"inner": tensor, "deep": {"other": tensor + tensor}},
        "dict-of-numpy": lambda: {"inner": tensor.numpy()},
        "module": lambda: torch.nn.Linear(2, 2),
        "subclass": lambda: tensor.as_subclass(Own),
        "set": lambda: {1, 2},
    }
    return simple[how]() if how in simple else tensor


def _fake(tensor: torch.Tensor) -> Any:
    return FakeTensorMode().from_tensor(tensor)


def build(recipe: dict[str, Any]) -> tuple[Any, dict[str, Any], dict[str, torch.Tensor]]:
    """The checkpoint, the options, and the tensors that must come back if it is packed."""
    state: dict[Any, Any] = OrderedDict() if recipe["ordered"] else {}
    expected: dict[str, torch.Tensor] = {}
    last = None
    for entry in recipe["entries"]:
        value = value_of(entry)
        if entry["tied"] and last is not None:
            value = last
        state[entry["key"]] = value
        last = value if isinstance(value, torch.Tensor) else last
    options = dict(recipe["options"])
    if "masks" in options:
        options["masks"] = {name: value_of(entry) for name, entry in options["masks"].items()}
    if not (set(options) & {*LOSSY, "strip_prefix", "masks", "key", "family"}):
        expected = _expected(state)
    checkpoint: Any = state
    if recipe["under"] is not None:
        checkpoint = {recipe["under"]: state}
        for name, value in recipe["beside"].items():
            checkpoint[name] = {"state": {"x": torch.ones(2)}} if value == "dict" else value
    return checkpoint, options, expected


def _expected(state: dict[Any, Any]) -> dict[str, torch.Tensor]:
    """Return the plain tensors under plain names of layers that have no other names, such as those of a mask."""
    touched = {_module(str(key)) for key in state if _end(str(key)) not in PLAIN}
    expected: dict[str, torch.Tensor] = {}
    for key, value in state.items():
        name = str(key)
        if not isinstance(key, str) or _end(name) not in PLAIN or _module(name) in touched:
            continue
        for path, tensor in _plain(name, value):
            expected[path] = tensor
    return expected


def _plain(name: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """The plain tensors that a value is or holds, by name: those of a dictionary after a dot."""
    if isinstance(value, dict):
        for inner, one in value.items():
            yield from _plain(f"{name}.{inner}", one)
        return
    if isinstance(value, np.ndarray) and value.dtype != object:
        value = torch.from_numpy(np.ascontiguousarray(value, value.dtype.newbyteorder("=")).reshape(value.shape))
    if type(value) in (torch.Tensor, torch.nn.Parameter) and value.layout == torch.strided and not value.is_meta:
        yield name, value


def _end(name: str) -> str:
    return name.rpartition(".")[2]


def _module(name: str) -> str:
    """The layer that a name is of, whatever wrappers and families put around it."""
    for word in ("module.", "_orig_mod.", "model."):
        name = name.replace(word, "")
    parts = name.split(".")
    if len(parts) == 1:
        return ""
    return parts[0] if parts[0] != "block" else ".".join(parts[:3])


def check(data: bytes) -> str:
    """Pack and load."""
    checkpoint, options, expected = build(json.loads(data))
    return pack_and_compare(checkpoint, options, expected, lossy=bool(set(options) & set(LOSSY)))


values.load_lazy_parts()
TARGET = Target("states", ".json", make, mutate, check, "state_dicts of every kind of value, and options")
