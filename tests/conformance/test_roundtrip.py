"""Network -> file -> network: the same words, the same bytes again, and what the second decoder reads."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import pemncodec
from pemncodec.coding.encoder import encode
from pemncodec.common.dtypes import BY_NAME
from pemncodec.container.manifest.rows import KeptRow, TensorRow
from pemncodec.errors import NetworkError, PemnError
from pemncodec.generators.philox.generator import Generator
from pemncodec.loading.file import PemnFile
from pemncodec.network.model import Alias, KeptFill, Layer, MaskedNetwork, Prototype, StoredPrototype, Tensor, TileFill

from ..networks import BUILDERS, Array, Content, assert_same, layers, networks, second, stored, tasks

HEAVY = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)


# --- what a network means, by spec section 7 and without pemncodec.network.fill ---------------------------------------


def prototype_words(prototype: Prototype) -> Array:
    """All elements of a prototype; generated ones by the second decoder."""
    if isinstance(prototype, StoredPrototype):
        return prototype.values
    g = prototype.generator
    assert isinstance(g, Generator)  # those of PyTorch: tests/generators/test_pytorch_generator.py
    scale = int(np.float32(g.scale).view(np.uint32))
    number = ("sign", "uniform", "normal").index(g.distribution) + 1
    words: Array = second.elements(number, g.seed, g.stream, scale, np.arange(g.period))
    for index, pattern in g.patches:
        words[index] = pattern
    words[second.order(g.seed, g.stream ^ 1 << 63, g.period)[: g.zeros]] = 0
    return words[second.order(g.seed, g.stream ^ 1 << 62, g.length) % g.period] if g.permuted else words


def times(words: Array, scale: float | None) -> Array:
    """float32 words times a float32, in double precision (exact), rounded once."""
    if scale is None:
        return words
    with np.errstate(all="ignore"):
        return (words.view("f4").astype("f8") * float(np.float32(scale))).astype("f4").view("u4")


def expected_words(network: MaskedNetwork, entry: Tensor | Layer) -> Array:
    """The values of an entry by spec section 7, on whole arrays."""
    if isinstance(entry, Tensor):
        return entry.values
    mask = network.masks[entry.mask]
    n = math.prod(entry.shape)
    flags = np.unpackbits(mask.packed, count=n, bitorder="little").astype(np.bool_)
    f = entry.fill
    if isinstance(f, KeptFill):
        out = np.zeros(n, f.values.dtype)
        out[flags] = f.values
        return out
    i = np.arange(n)
    tile = times(prototype_words(network.prototypes[f.prototype]), f.scale)
    a = tile[(f.phase + i) % len(tile)]
    b = np.zeros_like(a)
    if f.zero == "negated":
        b = np.where(a == 0, a, a ^ a.dtype.type(1 << 8 * a.itemsize - 1))
    elif f.second is not None:
        other = times(prototype_words(network.prototypes[f.second]), f.scale)
        b = other[(f.second_phase + i) % len(other)]
    return np.where(flags, a, b)


def expected_content(network: MaskedNetwork) -> Content:
    """Return the content that decoding a file of this network must give."""
    content: Content = {}
    for number, task in enumerate(network.tasks, 1) if network.tasks else [(0, "")]:
        rows = []
        for entry in network.entries:
            if entry.task in (0, number):
                own = entry
                if isinstance(entry, Alias):
                    targets = [e for e in network.entries if e.name == entry.target and e.task in (0, entry.task)]
                    own = next(e for e in targets if not isinstance(e, Alias))
                assert not isinstance(own, Alias)
                dtype = own.dtype if isinstance(own, Tensor) else network.layer_dtype(own)
                rows.append((entry.name, dtype.name, own.shape, expected_words(network, own).tobytes()))
        content[task] = rows
    return content


# --- the tests ------------------------------------------------------------------------------------------------


def check(network: MaskedNetwork) -> bytes:
    """Everything that must hold for a network that the format can say."""
    expected = expected_content(network)
    data = encode(network)
    assert assert_same(data) == expected
    again = pemncodec.load_network(data)
    assert encode(again) == data
    assert (again.metadata, again.tasks) == (network.metadata, network.tasks)
    assert expected_content(again) == expected
    for task, rows in expected.items():
        number = network.tasks.index(task) + 1 if task else 0
        for name, _, _, content in rows:
            assert again.words_of(name, number).tobytes() == content
            assert network.words_of(name, number).tobytes() == content
    for before, after in zip(network.entries, again.entries, strict=True):
        assert (type(after), after.name, after.task) == (type(before), before.name, before.task)
        if isinstance(before, Layer) and isinstance(after, Layer):
            assert type(after.fill) is type(before.fill)
            if isinstance(before.fill, TileFill) and isinstance(after.fill, TileFill):
                assert after.fill.scale_bits == before.fill.scale_bits
                again_as_before = replace(
                    after.fill, prototype=before.fill.prototype, second=before.fill.second, scale=before.fill.scale
                )  # prototypes are numbered anew
                assert again_as_before == before.fill
        elif isinstance(before, Alias) and isinstance(after, Alias):
            assert after.target == before.target
    return data


@HEAVY
@given(networks())
def test_any_network(network: MaskedNetwork) -> None:
    check(network)


@pytest.mark.parametrize("name", BUILDERS)
def test_built_network(name: str) -> None:
    check(BUILDERS[name]())


def test_same_bytes_whatever_the_hash_seed() -> None:
    ours = {name: hashlib.sha256(encode(build())).hexdigest() for name, build in BUILDERS.items()}
    code = (
        "import hashlib; from tests.networks import BUILDERS; from pemncodec.coding.encoder import encode\n"
        "for name, build in BUILDERS.items(): print(name, hashlib.sha256(encode(build())).hexdigest())"
    )
    for seed in ("0", "4711"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert dict(line.split() for line in run.stdout.splitlines()) == ours


def test_metadata_in_any_order_gives_the_same_bytes() -> None:
    pairs = {"b": "1", "a": "2", "\U0001f600": "3", "\uffff": "4"}
    forward, backward = MaskedNetwork(metadata=pairs), MaskedNetwork(metadata=dict(reversed(pairs.items())))
    assert encode(forward) == encode(backward)
    check(forward)


def test_equal_masks_are_stored_once() -> None:
    one, many = layers(), layers()
    many.masks += [many.masks[0]] * 3  # equal bits under other numbers
    many.entries = [
        replace(entry, mask=3 + number % 3) if isinstance(entry, Layer) and entry.mask == 0 else entry
        for number, entry in enumerate(many.entries)
    ]
    assert encode(many) == encode(one)


def test_tasks_do_not_share_blocks() -> None:
    """Reading one task decodes nothing of another."""
    with PemnFile(encode(tasks()), task="one") as file:
        entries = file.decoder.manifest.entries
    tasks_of: dict[int, set[int]] = {}
    for row in entries:
        if isinstance(row, TensorRow | KeptRow):
            tasks_of.setdefault(row.block, set()).add(row.task)
    assert len(tasks_of) == 3
    assert all(len(numbers) == 1 for numbers in tasks_of.values())


def test_prototypes_that_no_layer_uses_are_left_out() -> None:
    network = tasks()
    data = encode(network)
    network.prototypes.append(StoredPrototype(network.prototypes[0].dtype, np.arange(5, dtype=np.uint32)))
    assert encode(network) == data


def test_patterns_of_floats_survive() -> None:
    """Signalling NaNs, payloads and −0.0 are bits, in tensors, kept layers and tiled layers."""
    patterns = np.array([0x7F800001, 0xFFC0DEAD, 0x80000000, 0x00000001, 0x7F800000], dtype=np.uint32)
    network = layers()
    ones = pemncodec.Mask.from_bool(np.ones(5, dtype=np.bool_))
    f32 = network.prototypes[0].dtype
    network = MaskedNetwork(prototypes=[StoredPrototype(f32, patterns)], masks=[ones])
    network.entries = [
        Tensor("t", f32, (5,), patterns),
        Layer("k", (5,), 0, KeptFill(f32, patterns)),
        Layer("w", (5,), 0, TileFill(0)),
    ]
    content = assert_same(check(network))
    assert [row[3] for row in content[""]] == [patterns.tobytes()] * 3


def two(first: Tensor | Layer | Alias, *others: Tensor | Layer | Alias) -> MaskedNetwork:
    network = layers()
    network.entries = [first, *others]
    return network


F32 = layers().prototypes[0].dtype
BROKEN = {
    "appears twice": two(Tensor("a", F32, (), np.zeros(1, "u4")), Tensor("a", F32, (), np.zeros(1, "u4"))),
    "belongs to task 1 of 0": two(Tensor("a", F32, (), np.zeros(1, "u4"), task=1)),
    "is not a valid name": two(Tensor("a\0", F32, (), np.zeros(1, "u4"))),
    "33 dimensions": two(Tensor("a", F32, (1,) * 33, np.zeros(1, "u4"))),
    "mask of 48 bits": two(Layer("a", (47,), 0, TileFill(0))),
    "values for": two(Layer("a", (48,), 0, KeptFill(F32, np.zeros(1, "u4")))),
    "cannot be masked": two(Layer("a", (), 2, KeptFill(BY_NAME["bool"], np.zeros(1, "u1")))),
    "go together": two(Layer("a", (48,), 0, TileFill(0, zero="second"))),
    "does not exist": two(Alias("a", "b")),
}


@pytest.mark.parametrize("phrase", BROKEN)
def test_broken_network(phrase: str) -> None:
    with pytest.raises(NetworkError, match=phrase):
        encode(BROKEN[phrase])
    assert issubclass(NetworkError, PemnError)


# --- more networks that the format cannot say -------------------------------------------------------------------


def tile(fill: TileFill, prototype: StoredPrototype | None = None) -> MaskedNetwork:
    """One layer of 48 elements."""
    network = two(Layer("w", (48,), 0, fill))
    network.prototypes[0] = prototype or network.prototypes[0]
    return network


def scalar(dtype: str, value: int) -> Tensor:
    found = BY_NAME[dtype]
    return Tensor("a", found, (), np.full(1, value, f"u{found.word_bytes}"))


CANNOT_BE_SAID = {
    "empty metadata key": MaskedNetwork(metadata={"": "x"}),
    "metadata that is not Unicode": MaskedNetwork(metadata={"a": "\ud800"}),
    "name that is not Unicode": MaskedNetwork([replace(scalar("int8", 0), name="\ud800")]),
    "empty task": MaskedNetwork(tasks=[""]),
    "two equal tasks": MaskedNetwork(tasks=["a", "a"]),
    "long task": MaskedNetwork(tasks=["a" * 1025]),
    "too many values": MaskedNetwork([replace(scalar("int8", 7), values=np.arange(3, dtype="u1"))]),
    "too few values": MaskedNetwork([replace(scalar("int8", 7), shape=(2,))]),
    "a bool of 2": MaskedNetwork([scalar("bool", 2)]),
    "phase of the length": tile(TileFill(0, phase=10)),
    "phase below zero": tile(TileFill(0, phase=-1)),
    "negative scale": tile(TileFill(0, scale=-1.0)),
    "no scale": tile(TileFill(0, scale=1e-60)),
    "infinite scale": tile(TileFill(0, scale=1e39)),
    "scaled infinity": tile(TileFill(0, scale=1.0), StoredPrototype(F32, np.full(1, 0x7F800000, "u4"))),
    "scaled float16": tile(TileFill(5, scale=1.0)),
    "values that are not present": tile(
        TileFill(0), StoredPrototype(F32, np.ones(2, "u4"), pemncodec.Mask.from_bool(np.zeros(2, np.bool_)))
    ),
    "presence of another length": tile(
        TileFill(0), replace(stored(F32, np.ones(3, "u4"), 1.0), values=np.ones(2, "u4"))
    ),
    "unknown zero": tile(TileFill(0, zero="nothing")),
    "prototype that is not there": tile(TileFill(70)),
    "mask that is not there": two(Layer("w", (48,), 70, TileFill(0))),
    "second of another dtype": tile(TileFill(0, zero="second", second=6)),
    "alias before its target": two(Alias("b", "a"), scalar("int8", 0)),
}


@pytest.mark.parametrize("name", list(CANNOT_BE_SAID))
def test_encode_refuses_what_cannot_be_said(name: str) -> None:
    with pytest.raises(NetworkError):
        encode(CANNOT_BE_SAID[name])
