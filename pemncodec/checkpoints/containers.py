"""The containers of a checkpoint: the network among its containers, and dictionaries in dictionaries as dotted names.

A dictionary inside of a state_dict is a group of tensors: `{"encoder": {"fc.weight": …}}` is `encoder.fc.weight`.
`grouped` makes the same containers again. What holds values and is no plain tensor is refused by name; numbers, texts
and empty containers are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.nn.parameter import is_lazy

from ..errors import OutputError, UnknownLayoutError, UnsupportedTensorError
from ..errors.quoting import quoted
from .reading.objects import Refused

Key = str | int
Path = tuple[Key, ...]
MAX_DEPTH = 64
_DECIMAL = re.compile("-?(0|[1-9][0-9]{0,18})")
MAX_TENSORS = 1 << 18  # rows of a file (spec section 4)


@dataclass
class Flat:
    """Tensors by dotted name, in order.

    Attributes:
        tensors: what is a plain tensor, or a numpy array made one.
        dropped: names of what holds no values.
        groups: paths of the dictionaries inside, each the keys that lead there.
        integers: names whose last key was an integer.
        arrays: names of what was a numpy array.
    """

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    groups: list[list[Key]] = field(default_factory=list)
    integers: list[str] = field(default_factory=list)
    arrays: list[str] = field(default_factory=list)


class Holding:
    """The containers that hold values: tensors, arrays, modules; the state of an optimizer does not count.

    Each container is looked at once, however often it is named: a small pickle may name one in two places of another,
    and that in two of a third, without end.

    Args:
        root: what everything that is asked for is in.
    """

    def __init__(self, root: object) -> None:
        parents: dict[int, list[object]] = {id(root): []}
        holding: list[object] = []
        waiting = [root]
        self._kept = waiting  # so that no id is used twice
        for one in waiting:  # it grows
            if isinstance(one, _VALUES):
                continue
            for item in _items(one):
                if isinstance(item, _VALUES):
                    holding.append(one)
                elif isinstance(item, _CONTAINERS):
                    if id(item) not in parents:
                        parents[id(item)] = []
                        waiting.append(item)
                    parents[id(item)].append(one)
        self._ids: set[int] = set()
        while holding:
            one = holding.pop()
            if id(one) not in self._ids:
                self._ids.add(id(one))
                holding.extend(parents[id(one)])

    def __call__(self, value: object) -> bool:
        """Return whether a value, or anything in it, holds values."""
        return isinstance(value, _VALUES) or id(value) in self._ids

    def is_network(self, value: object) -> bool:
        """Return whether it is a module, or a dictionary with tensors at any depth."""
        return isinstance(value, torch.nn.Module | Mapping) and self(value)


_VALUES = (torch.Tensor, np.ndarray, Refused, torch.nn.Module)
_CONTAINERS = (Mapping, list, tuple, set, frozenset)


def _items(container: object) -> Iterable[object]:
    if isinstance(container, Mapping):
        return () if {"state", "param_groups"} <= set(container) else container.values()
    return container if isinstance(container, list | tuple | set | frozenset) else ()


def holds_values(value: object) -> bool:
    """Return whether a value, or anything in it, holds values, as `Holding` has it."""
    return Holding(value)(value)


def flatten(source: Mapping[Any, object]) -> Flat:
    """The tensors of a state_dict.

    Raises:
        UnknownLayoutError: two of them have one dotted name, a key is neither text nor integer, or there are too many.
        UnsupportedTensorError: something holds values and is no plain tensor.
    """
    flat = Flat()
    paths: dict[str, Path] = {}
    for path, value in _leaves(source, (), flat, Holding(source)):
        name = ".".join(map(str, path))
        if name in paths:
            raise UnknownLayoutError(f"{quoted(name)} appears twice, once in a nested dictionary: rename one")
        if len(paths) >= MAX_TENSORS:
            raise UnknownLayoutError(f"the checkpoint holds too many tensors: a file holds at most {MAX_TENSORS}")
        paths[name] = path
        flat.tensors[name] = _tensor(value, name)
        if isinstance(value, np.ndarray | np.generic):
            flat.arrays.append(name)
        if isinstance(path[-1], int):
            flat.integers.append(name)
    _refuse_shards(flat.tensors)
    if flat.groups:
        places = _Places(flat.groups)
        for name, path in paths.items():
            if places.of(name) != [*map(str, path)]:
                raise UnknownLayoutError(
                    f"{quoted(name)} is ambiguous, because several dictionaries could hold it: rename the nested ones"
                )
    return flat


def _refuse_shards(tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse what one rank of FSDP holds, which is always flat; a network of whole tensors never is."""
    wrapped = [name for name in tensors if "_fsdp_wrapped_module" in name or name.endswith("_flat_param")]
    if wrapped and all(tensors[name].dim() == 1 for name in wrapped):
        raise UnsupportedTensorError(
            f"tensor {quoted(wrapped[0])} is a local shard of FSDP, as are all of its name: save the model, or its "
            "state_dict()"
        )


def _leaves(source: Mapping[Any, object], path: Path, flat: Flat, holding: Holding) -> Iterator[tuple[Path, object]]:
    if len(path) > MAX_DEPTH:
        raise UnknownLayoutError(f"dictionaries are nested more than {MAX_DEPTH} deep: save the state_dict alone")
    for key, value in source.items():
        if not isinstance(key, str | int) or isinstance(key, bool):
            if holding(value) or isinstance(value, np.generic):
                raise UnknownLayoutError(f"the state_dict has the key {quoted(key)}, which is not a string")
            flat.dropped.append(str(key))
            continue
        here = (*path, key)
        if isinstance(value, torch.Tensor | np.ndarray | np.generic | Refused):
            if isinstance(value, np.generic) and value.dtype.kind not in "?biufc":
                flat.dropped.append(".".join(map(str, here)))
                continue
            yield here, value
        elif isinstance(value, Mapping) and holding(value):
            flat.groups.append(list(here))
            yield from _leaves(value, here, flat, holding)
        elif holding(value):
            what = type(value).__name__
            raise UnsupportedTensorError(
                f"{quoted('.'.join(map(str, here)))} is a {what} that holds tensors: save them as a dictionary "
                f"of tensors"
            )
        else:
            flat.dropped.append(".".join(map(str, here)))


def _tensor(value: object, name: str) -> torch.Tensor:
    if isinstance(value, Refused):
        raise UnsupportedTensorError(f"tensor {quoted(name)} {value.what}")
    if isinstance(value, torch.Tensor):
        check_plain(value, name)
        return torch.zeros(value.shape, dtype=value.dtype) if value._is_zerotensor() else value
    assert isinstance(value, np.ndarray | np.generic)
    array = np.asarray(value)
    if array.dtype.kind not in "?biufc" or array.dtype.itemsize > (16 if array.dtype.kind == "c" else 8):
        raise UnsupportedTensorError(
            f"{quoted(name)} is a numpy array of {array.dtype}, which is not a tensor dtype: convert it and pack again"
        )
    native = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
    return torch.from_numpy(native.reshape(array.shape))


def check_plain(tensor: torch.Tensor, name: str) -> None:
    """Refuse what has no elements of its own in memory.

    Raises:
        UnsupportedTensorError: the tensor is quantized, sparse, nested, lazy, on the meta device, or of a class whose
            elements lie elsewhere.
    """
    what = None
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer):
        what = _of_a_class(tensor)
    if what is None and tensor.is_nested:
        what = "is a nested tensor: save its parts as tensors"
    elif what is None and tensor.layout != torch.strided:
        what = f"is {tensor.layout}: make it dense (to_dense()) and pack again"
    elif what is None and tensor.is_meta:
        what = "is on the meta device and has no values"
    elif what is None and tensor.is_quantized:
        what = (
            f"has dtype {tensor.dtype}, which .pemn cannot hold: convert it (for a quantized tensor: its int_repr(), "
            "scale and zero point) and pack again"
        )
    if what is not None:
        raise UnsupportedTensorError(f"tensor {quoted(name)} {what}")


def _of_a_class(tensor: torch.Tensor) -> str | None:
    """The reason to refuse a tensor of a subclass; None where it is a plain one under another name."""
    if is_lazy(tensor):
        return "is lazy and has no values yet: run the model once"
    kind = type(tensor).__name__
    if "DTensor" in kind or kind == "ShardedTensor":
        how = "take its full_tensor()" if "DTensor" in kind else "gather it"
        return f"is a {kind}, a part of a distributed tensor: {how}, or save with pemncodec.distributed.PemnWriter"
    if isinstance(tensor, torch._subclasses.FakeTensor):
        return "is a fake tensor and has no values"
    if torch.utils._python_dispatch.is_traceable_wrapper_subclass(tensor):
        return f"is a {kind}, a tensor subclass: save it as a plain tensor"
    try:
        readable = tensor.is_nested or tensor.layout != torch.strided or tensor.numel() == 0 or tensor.data_ptr() != 0
    except RuntimeError:
        readable = False
    return None if readable else f"is a {kind}, whose elements cannot be read: save it as a plain tensor"


class _Places:
    """Finds the group that a name lies in: the one with the longest prefix."""

    def __init__(self, groups: Sequence[Sequence[Key]]) -> None:
        self._groups = {".".join(map(str, path)) + ".": [*map(str, path)] for path in groups}
        self._longest_first = sorted(self._groups, key=len, reverse=True)

    def of(self, name: str) -> list[str]:
        """The keys that lead to a name, as texts."""
        for prefix in self._longest_first:
            if name.startswith(prefix):
                return [*self._groups[prefix], name[len(prefix) :]]
        return [name]


def grouped(
    tensors: Mapping[str, Any], groups: Sequence[Sequence[Key]], integers: Sequence[str], arrays: Sequence[str]
) -> dict[Key, Any]:
    """The containers that `flatten` was given, with other tensors: its inverse.

    Args:
        tensors: by dotted name.
        groups, integers, arrays: as in `Flat`.

    Raises:
        OutputError: a tensor and a dictionary would have one key, or a key is no integer where it should be one.
    """
    places = _Places(groups)
    keys = {tuple(map(str, path)): tuple(path) for path in groups}
    whole: dict[Key, Any] = {}
    numbers, as_arrays = set(integers), set(arrays)
    for name, value in tensors.items():
        *path, last = places.of(name)
        inner: Any = whole
        for key in keys.get(tuple(path), tuple(path)):
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise OutputError(f"{quoted(key)} would be both a tensor and a dictionary: use another layout")
        key = int(last) if name in numbers and _DECIMAL.fullmatch(last) else last
        if key in inner:
            raise OutputError(f"two tensors would be named {quoted(name)}: use another layout")
        inner[key] = _as_array(value, name) if name in as_arrays and isinstance(value, torch.Tensor) else value
    return whole


def _as_array(tensor: torch.Tensor, name: str) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        return tensor.numpy()
    except (TypeError, RuntimeError):
        raise OutputError(f"numpy has no {tensor.dtype} ({quoted(name)}): use another layout") from None
