"""Check that a `MaskedNetwork` is consistent and fits the format, before anything is encoded."""

from __future__ import annotations

import math

import numpy as np

from ..common.dtypes import FLOAT32, DType
from ..common.words import Words, word_type
from ..container.manifest.rows import MAX_DIMS, MAX_NAME
from ..container.manifest.zero_table import ZERO_RULES, zero_id
from ..errors import NetworkError
from .model import Alias, Layer, MaskedNetwork, StoredPrototype, Tensor, TileFill


def check_network(network: MaskedNetwork) -> None:
    """Check what the format needs.

    Raises:
        NetworkError: the first thing that contradicts itself or does not fit.
    """
    _check_metadata(network)
    _check_names(network)
    for index, prototype in enumerate(network.prototypes):
        if isinstance(prototype, StoredPrototype):
            _check_prototype(prototype, f"prototype {index}")
    for entry in network.entries:
        if not 0 <= entry.task <= len(network.tasks):
            raise NetworkError(f"{entry.name!r} belongs to task {entry.task} of {len(network.tasks)}")
        if not isinstance(entry, Alias) and not (
            len(entry.shape) <= MAX_DIMS and all(isinstance(dim, int) and dim >= 0 for dim in entry.shape)
        ):
            raise NetworkError(
                f"{entry.name!r} has {len(entry.shape)} dimensions, {entry.shape}; {MAX_DIMS} are allowed"
            )
        if isinstance(entry, Tensor):
            _check_words(entry.values, entry.dtype, math.prod(entry.shape), repr(entry.name))
        elif isinstance(entry, Layer):
            _check_layer(network, entry)


def utf8(text: str) -> bytes:
    """UTF-8, or NetworkError."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NetworkError(f"{text!r} holds a lone surrogate, which UTF-8 cannot encode") from None


def _check_metadata(network: MaskedNetwork) -> None:
    for key, value in network.metadata.items():
        if not isinstance(key, str) or not isinstance(value, str) or not key:
            raise NetworkError(f"metadata {key!r}: keys and values must be strings, and keys must not be empty")
        utf8(key + value)


def _check_names(network: MaskedNetwork) -> None:
    for kind, names in (("task", network.tasks), ("tensor", [entry.name for entry in network.entries])):
        for name in names:
            if not 1 <= len(utf8(name)) <= MAX_NAME or (kind == "tensor" and "\0" in name):
                raise NetworkError(f"{name!r} is not a valid name of a {kind}: use 1 to 1,024 bytes, none of them 0")
    common = {entry.name for entry in network.entries if entry.task == 0}
    seen: set[tuple[str, int]] = set()
    for entry in network.entries:
        if (entry.name, entry.task) in seen or (entry.task and entry.name in common):
            raise NetworkError(f"the name {entry.name!r} appears twice")
        seen.add((entry.name, entry.task))


def _check_words(words: Words, dtype: DType, count: int, where: str) -> None:
    if words.ndim != 1 or words.dtype != word_type(dtype) or len(words) != count * dtype.words_per_element:
        raise NetworkError(
            f"{where} has {words.size} {words.dtype} words of values for {count} elements of {dtype}, which need "
            f"{count * dtype.words_per_element} {word_type(dtype)} words"
        )
    if dtype.kind == "bool" and count and words.max() > 1:
        raise NetworkError(f"{where}: a bool is {words.max()}, and must be 0 or 1")


def _check_prototype(prototype: StoredPrototype, where: str) -> None:
    if not prototype.dtype.maskable:
        raise NetworkError(f"{where} has dtype {prototype.dtype}, which cannot be masked")
    if not prototype.length:
        raise NetworkError(f"{where} is empty")
    _check_words(prototype.values, prototype.dtype, prototype.length, where)
    presence = prototype.presence
    if presence is None:
        return
    if presence.length != prototype.length:
        raise NetworkError(f"{where} has {prototype.length} values and a presence mask of {presence.length} bits")
    if prototype.values[~presence.to_bool()].any():
        raise NetworkError(f"{where} has values where its presence mask says that none are stored")


def _check_layer(network: MaskedNetwork, layer: Layer) -> None:
    where = repr(layer.name)
    if not 0 <= layer.mask < len(network.masks):
        raise NetworkError(f"{where} refers to mask {layer.mask} of {len(network.masks)}")
    mask = network.masks[layer.mask]
    if mask.length != layer.numel:
        raise NetworkError(f"{where} has {layer.numel} elements and a mask of {mask.length} bits")
    if isinstance(layer.fill, TileFill):
        _check_tile(network, layer.fill, where)
        return
    if not layer.fill.dtype.maskable:
        raise NetworkError(f"{where} has dtype {layer.fill.dtype}, which cannot be masked")
    if not layer.fill.on_demand:  # what is gathered by the mask fits it
        _check_words(layer.fill.values, layer.fill.dtype, mask.count, where)


def _check_tile(network: MaskedNetwork, fill: TileFill, where: str) -> None:
    number = zero_id(fill.zero)
    if number is None:
        names = ", ".join(rule.name for rule in ZERO_RULES.values())
        raise NetworkError(f"{where}: zero is {fill.zero!r}; choose {names}")
    rule = ZERO_RULES[number]
    if (fill.second is not None) != rule.second:
        raise NetworkError(f"{where}: zero='second' and a second prototype go together")
    for index, phase in ((fill.prototype, fill.phase), (fill.second, fill.second_phase)):
        if index is None:
            continue
        if not 0 <= index < len(network.prototypes):
            raise NetworkError(f"{where} refers to prototype {index} of {len(network.prototypes)}")
        if not 0 <= phase < network.prototypes[index].length:
            raise NetworkError(f"{where} has phase {phase} in {network.prototypes[index].length} values")
    dtype = network.prototypes[fill.prototype].dtype
    if fill.second is not None and network.prototypes[fill.second].dtype != dtype:
        raise NetworkError(f"{where}: its two prototypes have different dtypes")
    if rule.signed and not dtype.has_sign_bit:
        raise NetworkError(f"{where}: dtype {dtype} cannot be negated")
    if fill.scale is not None:
        with np.errstate(all="ignore"):
            scale = np.float32(fill.scale)
        if dtype != FLOAT32 or not (np.isfinite(scale) and scale > 0):
            raise NetworkError(f"{where}: scale {fill.scale} of {dtype}: only float32 is scaled, by a float32 above 0")
