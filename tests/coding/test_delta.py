"""Deltas: what is stored of a network that shares much with another, and what comes back."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pemncodec
from pemncodec.coding import encoder as encoding
from pemncodec.coding.blocks.coders import CODERS
from pemncodec.coding.encoder import encode
from pemncodec.common.dtypes import BY_NAME, FLOAT32
from pemncodec.container.cursor import Cursor
from pemncodec.container.manifest.rows import BASE_KEY, KeptRow, TiledRow, ValuesRow
from pemncodec.loading.device import devices
from pemncodec.loading.file import PemnFile
from pemncodec.loading.verify import verify_file
from pemncodec.network.mask import Mask
from pemncodec.network.model import Alias, KeptFill, Layer, MaskedNetwork, StoredPrototype, Tensor, TileFill

from .. import published
from ..conformance.test_roundtrip import expected_content
from ..deltas import (
    FLIPS,
    SEEDED,
    XOR,
    coders,
    decoder_of,
    flipped,
    floats,
    kept,
    manifest_of,
    mask_delta,
    raw_flips,
    raw_xor,
    sha256,
    tensor_delta,
    tiled,
    with_tensors,
)
from ..networks import BUILDERS, Array, Content, first_content, networks, random_mask, words

pytestmark = pytest.mark.usefixtures("both_ways")  # with the compiled loops, and without


def content(data: bytes, base: bytes | list[bytes], tasks: list[str]) -> Content:
    """Every task of a delta."""
    found: Content = {}
    for task in tasks or [""]:
        with PemnFile(data, task=task or None, base=base) as file:
            found[task] = [(name, file.dtype(name), file.shape(name), file.get_numpy(name).tobytes()) for name in file]
    return found


def check(network: MaskedNetwork, base: bytes, smaller: bool = True) -> bytes:
    """Packed against a base it is itself; with the bytes that any other time gives, and smaller than by itself."""
    data = encode(network, base=base)
    assert data == encode(network, base=base)
    assert content(data, base, network.tasks) == expected_content(network)
    verify_file(data, base=base)
    whole = encode(network)
    if manifest_of(data).base is None:
        assert data == whole
    else:
        assert manifest_of(data).base == sha256(base)
        assert data[9] == 3
        assert len(data) < len(whole) or not smaller
    return data


def differences(data: bytes, block: int, users: int) -> tuple[list[int], Array]:
    """References and differences of a block of coder 6."""
    row = manifest_of(data).blocks[block]
    assert row.coder == XOR
    cursor = Cursor(decoder_of(data).container.block_payload(block))
    references = cursor.varints(users, "reference")
    coder = cursor.fixed(1, "coder")
    counts, _, _ = manifest_of(data).block_users()
    return references, CODERS[coder].decode(cursor.take(cursor.remaining, "rest"), row.dtype, counts[block])


# --- size ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prototype", [SEEDED, StoredPrototype(FLOAT32, floats(700, seed=1))], ids=["seed", "values"])
def test_a_network_with_5_percent_of_its_bits_flipped_takes_at_most_0_30_bits_a_weight(
    prototype: pemncodec.StoredPrototype | pemncodec.GeneratedPrototype,
) -> None:
    """The whole file, names and all. The entropy of the flips is 0.286 bits."""
    network = tiled(6, 40_000, prototype)
    base = encode(network)
    data = check(flipped(network, 0.05), base)
    weights = sum(layer.numel for layer in network.layers)
    assert weights >= 200_000
    assert 8 * len(base) / weights > 1.0
    assert 8 * len(data) / weights <= 0.30


def test_a_checkpoint_of_the_published_layout_takes_as_little() -> None:
    """Scores moved so that 5 % of the bits change sides; weight, BatchNorm and everything else stay."""
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(300, generator=generator)
    before: published.StateDict = {}
    for number in range(4):
        before[f"{number}.weight"] = vector.repeat(300)[: 240 * 240].reshape(240, 240).clone()
        before[f"{number}.scores"] = torch.rand(240, 240, generator=generator)
        before[f"{number}.bias"] = torch.randn(240, generator=generator)
    after = dict(before)
    for number in range(4):
        scores = before[f"{number}.scores"].reshape(-1).clone()
        order = scores.argsort(descending=True)
        half, moved = len(order) // 2, len(order) // 40
        falling = order[torch.randperm(half, generator=generator)[:moved]]
        rising = order[half + torch.randperm(half, generator=generator)[:moved]]
        scores[falling], scores[rising] = scores[rising].clone(), scores[falling].clone()
        after[f"{number}.scores"] = scores.reshape(240, 240)
    base = pemncodec.save(before, keep=0.5)
    data, report = pemncodec.pack(after, keep=0.5, base=base)
    published.assert_equal(pemncodec.load(data, base=base), published.effective(after, 0.5))
    flips = sum(
        int((x != y).sum())
        for x, y in zip(
            published.effective(before, 0.5).values(), published.effective(after, 0.5).values(), strict=True
        )
    )
    weights = 4 * 240 * 240
    assert weights >= 200_000
    assert flips == pytest.approx(0.05 * weights, rel=0.001)
    assert 8 * len(data) / weights <= 0.30
    assert report.notes == [f"the file is a delta: reading it needs its base, SHA-256 {sha256(base)}"]
    assert report.sizes.total == len(data)


def test_an_equal_network_takes_next_to_nothing() -> None:
    network = tiled(4, 20_000)
    base = encode(network)
    data = check(network, base)
    assert len(base) > 10_000
    assert len(data) < 400


# --- masks: section 5.4 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 7, 8, 9, 1000])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_bits_are_those_of_the_base_xor_the_flips(length: int, share: float) -> None:
    """A payload made by hand, against numpy."""
    network = MaskedNetwork(masks=[random_mask(length, 0.4, 1), random_mask(length, 0.6, 2)])
    for index in range(2):
        fill = KeptFill(FLOAT32, floats(network.masks[index].count, seed=index))
        network.entries.append(Layer(f"{index}", (length,), index, fill))
    base = encode(network)
    flags = np.random.default_rng(length).random(length) < share
    number = len(manifest_of(base).masks) - 1  # equal masks are stored once
    expected = network.masks[number].to_bool() ^ flags
    data = mask_delta(base, raw_flips(number, flags), length, int(expected.sum()))
    with PemnFile(data, base=base) as file:
        assert np.array_equal(file.get_mask("w").to_bool(), expected)
        assert np.array_equal(file.get_numpy("w"), np.where(expected, np.float32(1), np.float32(0)))


def test_a_mask_is_flips_where_that_is_smaller_and_the_lower_id_where_it_is_not() -> None:
    """24 bits take 3 bytes as they are and 3 as flips of an equal mask; 32 take 4, and 3."""
    network = tiled(1, 80_000)
    for bits in (24, 32):
        network.masks.append(random_mask(bits, 0.5, bits))
        network.entries.append(Layer(f"{bits}", (bits,), len(network.masks) - 1, TileFill(0)))
    data = check(network, encode(network))
    assert coders(data)[0] == [FLIPS, 1, FLIPS]
    other = flipped(network, 0.5)
    other.masks[0] = network.masks[0]
    assert coders(check(other, encode(network)))[0] == [FLIPS, 1, 1]


def test_masks_go_by_the_name_of_their_layer() -> None:
    network = tiled(3, 20_000)
    base = encode(network)
    other = flipped(network, 0.03)
    other.entries.reverse()
    assert coders(check(other, base))[0] == [FLIPS] * 3
    other.entries = [dataclasses.replace(entry, name=f"x.{entry.name}") for entry in network.entries]
    renamed = encode(other, base=base)
    assert manifest_of(renamed).base is None, "nothing of these names is in the base"


def test_stored_masks_of_another_length_are_stored_whole() -> None:
    """A prototype with zeros has idle positions; with others the mask has another number of bits."""
    zeros = np.where(np.arange(500) % 5 == 0, 0, floats(500, seed=1)).astype(np.uint32)
    network = tiled(2, 20_000, StoredPrototype(FLOAT32, floats(500, seed=1)))
    base = encode(network)
    other = tiled(2, 20_000, StoredPrototype(FLOAT32, zeros))
    assert FLIPS not in coders(encode(other, base=base))[0]
    same = flipped(tiled(2, 20_000, StoredPrototype(FLOAT32, zeros)), 0.05)
    assert coders(check(same, encode(other)))[0] == [FLIPS] * 2


def test_masks_of_signs_and_of_two_prototypes() -> None:
    network = tiled(2, 30_000, StoredPrototype(FLOAT32, floats(500, seed=1)))
    network.prototypes.append(StoredPrototype(FLOAT32, floats(500, seed=2)))
    fills = [TileFill(0, zero="negated", scale=0.5), TileFill(0, 3, zero="second", second=1, second_phase=2)]
    layers = iter(fills)
    network.entries = [
        dataclasses.replace(entry, fill=next(layers)) if isinstance(entry, Layer) else entry
        for entry in network.entries
    ]
    data = check(flipped(network, 0.05), encode(network))
    assert coders(data) == ([FLIPS] * 2, [XOR] * len(coders(data)[1]))


def test_presence_masks_of_prototypes() -> None:
    """The prototype of the layers of the same names: its presence mask is a mask like any other."""
    values = floats(40_000, seed=1)
    presence = random_mask(40_000, 0.8, 1)

    def network(presence: Mask) -> MaskedNetwork:
        stored = StoredPrototype(FLOAT32, np.where(presence.to_bool(), values, 0).astype(np.uint32), presence)
        made = tiled(1, 40_000, stored)
        made.masks[0] = Mask.from_bool(made.masks[0].to_bool() & presence.to_bool())
        return made

    less = Mask.from_bool(presence.to_bool() & (np.random.default_rng(0).random(40_000) < 0.99))
    base, data = encode(network(presence)), check(network(less), encode(network(presence)))
    row = manifest_of(data).prototypes[0]
    assert isinstance(row, ValuesRow)
    assert row.presence is not None
    assert manifest_of(data).masks[row.presence].coder == FLIPS
    references, found = differences(data, row.block, 1)
    assert references == [1]
    assert not found.any(), "what is stored still is what it was"
    assert len(data) < len(base) / 10


# --- blocks: section 6.2 ----------------------------------------------------------------------------------------


def test_elements_are_those_of_the_base_xor_the_differences() -> None:
    """A payload made by hand: a tensor, one without a reference, an alias, a kept layer and tiled ones of the base."""
    network = tiled(1, 16, StoredPrototype(FLOAT32, words(FLOAT32, 5, 1)))
    network.masks.append(random_mask(64, 0.5, 4))
    network.entries += [
        Alias("again", "0.bias"),
        Layer("kept", (4, 16), 1, KeptFill(FLOAT32, words(FLOAT32, network.masks[1].count, 3))),
    ]
    base = encode(network)
    shapes = [(64,), (64,), (8, 8), (2, 32), (16,)]
    changes = words(FLOAT32, sum(int(np.prod(shape)) for shape in shapes), 5)
    data = tensor_delta(base, raw_xor([2, 0, 3, 4, 1], changes), shapes)
    dense = [network.words_of(name) for name in ("0.bias", "0.bias", "0.bias", "kept", "0.weight")]
    dense[1] = np.zeros(64, dtype=np.uint32)
    start = 0
    with PemnFile(data, base=base) as file:
        for number, (shape, values) in enumerate(zip(shapes, dense, strict=True)):
            expected = values ^ changes[start : start + len(values)]
            assert file.get_numpy(f"t{number}").tobytes() == expected.tobytes()
            assert file.shape(f"t{number}") == shape
            start += len(values)


@pytest.mark.parametrize("name", ["int64", "bfloat16", "float32", "float64", "complex128", "float8_e5m2"])
def test_tensors_of_which_little_has_changed(name: str) -> None:
    dtype = BY_NAME[name]
    before = words(dtype, 5000, 1)
    after = before.copy()
    after[::100] = words(dtype, 5000, 2)[: len(after[::100])]
    base = encode(MaskedNetwork([Tensor("t", dtype, (50, 100), before)]))
    data = check(MaskedNetwork([Tensor("t", dtype, (50, 100), after)]), base)
    assert coders(data)[1] == [XOR]
    references, found = differences(data, 0, 1)
    assert references == [1]
    assert found.tobytes() == (before ^ after).tobytes()
    assert len(data) < 0.35 * len(base)


def test_nan_payloads_and_minus_zero() -> None:
    before = np.full(3000, 0x3F800000, dtype=np.uint32)
    before[:1000] = floats(1000, seed=1)
    odd = np.array([0x7FC01234, 0xFFFFFFFF, 0x7F800001, 0x80000000, 0xFF800000, 1, 0x80000001, 0], dtype=np.uint32)
    after = before.copy()
    after[: len(odd)] = odd
    before[-len(odd) :] = odd
    base = encode(MaskedNetwork([Tensor("t", FLOAT32, (3000,), before)]))
    data = check(MaskedNetwork([Tensor("t", FLOAT32, (3000,), after)]), base)
    assert coders(data)[1] == [XOR]
    loaded = pemncodec.load(data, base=base)["t"].view(torch.int32).numpy().view(np.uint32)
    assert loaded.tobytes() == after.tobytes()


def test_kept_layers_whose_mask_changed() -> None:
    """Values still kept differ by all-zero bits; newly kept ones stand as they are, for the base is zero there."""
    network = kept(2, 30_000)
    base = encode(network)
    changed = flipped(network, 0.02)
    data = check(changed, base)
    assert coders(data) == ([FLIPS] * 2, [XOR] * 2)
    for index, row in enumerate(manifest_of(data).entries):
        assert isinstance(row, KeptRow)
        references, found = differences(data, row.block, 1)
        assert references == [index + 1]
        before, after = network.words_of(row.name), changed.words_of(row.name)
        ones = changed.masks[index].to_bool()
        assert np.array_equal(found, (before ^ after)[ones])
        assert np.count_nonzero(found) < 0.1 * len(found)


def test_a_kept_layer_that_was_tiled_and_a_tensor_that_was_a_layer() -> None:
    network = tiled(1, 40_000, StoredPrototype(FLOAT32, floats(300, seed=3)))
    dense = network.words_of("0.weight")
    flags = network.masks[0].to_bool()
    base = encode(network)
    as_kept = MaskedNetwork(masks=[network.masks[0]])
    as_kept.entries = [Layer("0.weight", (40_000,), 0, KeptFill(FLOAT32, dense[flags]))]
    assert coders(check(as_kept, base)) == ([FLIPS], [XOR])
    as_tensor = MaskedNetwork([Tensor("0.weight", FLOAT32, (200, 200), dense)])
    assert coders(check(as_tensor, base)) == ([], [XOR])


def test_prototypes() -> None:
    """A few values are new; elements where the base stores none count as zero."""
    values = floats(30_000, seed=1)
    new = values.copy()
    new[::1000] = floats(30, seed=2)
    whole = StoredPrototype(FLOAT32, values)
    partial = StoredPrototype(
        FLOAT32,
        np.where(np.arange(30_000) < 20_000, values, 0).astype(np.uint32),
        Mask.from_bool(np.arange(30_000) < 20_000),
    )
    for before in (whole, partial):
        data = check(tiled(1, 40_000, StoredPrototype(FLOAT32, new)), encode(tiled(1, 40_000, before)))
        row = manifest_of(data).prototypes[0]
        assert isinstance(row, ValuesRow)
        references, found = differences(data, row.block, 1)
        assert references == [1]
        assert np.array_equal(found, before.values ^ new)


def test_a_prototype_of_equal_values_is_found_wherever_it_is() -> None:
    """Its layers have other prototypes of the same length in the base."""
    vectors = [StoredPrototype(FLOAT32, floats(3000, seed=seed)) for seed in range(3)]
    network = tiled(3, 8000)
    network.prototypes = list(vectors)
    fills = iter([TileFill(0), TileFill(1), TileFill(2)])
    network.entries = [
        dataclasses.replace(entry, fill=next(fills)) if isinstance(entry, Layer) else entry for entry in network.entries
    ]
    base = encode(network)
    other = copy.copy(network)
    other.prototypes = [vectors[2], vectors[0], vectors[1]]
    data = check(other, base)
    rows = [row for row in manifest_of(data).prototypes if isinstance(row, ValuesRow)]
    assert len({row.block for row in rows}) == 1
    references, found = differences(data, rows[0].block, 3)
    assert references == [3, 1, 2]
    assert not found.any()


def test_values_that_a_seed_makes_in_the_base() -> None:
    generated = SEEDED.generator.values().view(np.uint32).copy()
    data = check(tiled(1, 8000, StoredPrototype(FLOAT32, generated)), encode(tiled(1, 8000, SEEDED)))
    row = manifest_of(data).prototypes[0]
    assert isinstance(row, ValuesRow)
    assert manifest_of(data).blocks[row.block].coder == XOR
    assert len(data) < 300


def test_users_of_a_block_with_and_without_a_reference() -> None:
    """A tensor of another size, one of other values, and a new one are told as they are, in the same block."""
    network = tiled(6, 800)
    base = encode(network)
    other = with_tensors(network, **{"1__bias": floats(64, seed=77)})
    other.entries.insert(0, Tensor("new.bias", FLOAT32, (3,), floats(3, seed=8)))
    other.entries[6] = Tensor("2.bias", FLOAT32, (63,), floats(63, seed=9))
    data = check(other, base)
    block = manifest_of(data).entries[0]
    assert not isinstance(block, KeptRow | TiledRow)
    references, found = differences(data, 0, 7)
    assert references == [0, 2, 0, 0, 8, 10, 12]
    assert not found[3:67].any()
    assert found[67 : 67 + 64].tobytes() == floats(64, seed=77).tobytes(), "nothing in common with what it was"
    assert found[131 : 131 + 63].tobytes() == floats(63, seed=9).tobytes()
    assert not found[131 + 63 :].any()


# --- whole networks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILDERS)
def test_built_networks_against_themselves(name: str) -> None:
    network = BUILDERS[name]()
    base = encode(network)
    data = check(network, base)
    assert (manifest_of(data).base is None) == (name in ("MaskedNetwork", "tasks")), "two have next to no payload"


def mutated(network: MaskedNetwork, seed: int) -> MaskedNetwork:
    """The same with some mask bits flipped and some tensors changed, in one element or in all."""
    rng = np.random.default_rng(seed)
    changed = copy.copy(network)
    tiled_masks = {layer.mask for layer in network.layers if isinstance(layer.fill, TileFill)}
    kept_masks = {layer.mask for layer in network.layers} - tiled_masks
    changed.masks = [
        mask
        if index in kept_masks
        or any(layer.mask == index and isinstance(layer.fill, KeptFill) for layer in network.layers)
        else Mask.from_bool(mask.to_bool() ^ (rng.random(mask.length) < 0.1))
        for index, mask in enumerate(network.masks)
    ]
    changed.entries = []
    for entry in network.entries:
        if isinstance(entry, Tensor) and len(entry.values) and rng.random() < 0.5:
            values = entry.values.copy()
            values[int(rng.integers(len(values)))] ^= 1
            changed.entries.append(dataclasses.replace(entry, values=values))
        else:
            changed.entries.append(entry)
    return changed


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(networks(), networks(), st.integers(0, 100))
def test_any_two_networks(one: MaskedNetwork, two: MaskedNetwork, seed: int) -> None:
    base = encode(one)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_BASE_BYTES", 0)  # such networks are small, and so is what they save
        check(two, base, smaller=False)
        check(mutated(one, seed), base, smaller=False)


def test_tasks_go_by_their_names() -> None:
    """Of another order, and a task that the base does not have."""

    def network(order: list[str]) -> MaskedNetwork:
        made = MaskedNetwork(tasks=order, prototypes=[SEEDED])
        for number, task in enumerate(order):
            made.masks.append(random_mask(20_000, 0.5, len(task)))
            made.entries.append(Layer("w", (20_000,), number, TileFill(0), number + 1))
        return made

    base = encode(network(["a", "bb", "ccc"]))
    other = network(["ccc", "dddd", "a"])
    data = check(other, base)
    rows = manifest_of(data).masks
    assert [row.coder for row in rows] == [FLIPS, 1, FLIPS], "what was not seen before is as it is"
    assert rows[0].size < 20


def test_the_network_of_a_delta_is_packed_by_itself() -> None:
    network = flipped(tiled(2, 20_000), 0.05)
    base = encode(tiled(2, 20_000))
    data = encode(network, base=base)
    again = pemncodec.load_network(data, base=base)
    assert again.metadata == {BASE_KEY: sha256(base)}
    assert pemncodec.save(again) == encode(network)
    assert pemncodec.save(again, base=base) == data


def test_every_layout_and_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    network = kept(1, 9000)
    network.entries.append(Layer("tiled", (90, 100), 0, TileFill(0)))
    network.prototypes = [StoredPrototype(FLOAT32, floats(50, seed=1))]
    network.entries.append(Tensor("t", FLOAT32, (2000,), floats(2000, seed=5)))
    changed = flipped(network, 0.05)
    base = encode(network)
    data, whole = encode(changed, base=base), encode(changed)
    assert FLIPS in coders(data)[0]
    assert XOR in coders(data)[1]
    for layout in ("dense", "masked", "csr", "coo"):
        ours, theirs = (pemncodec.load(file, layout=layout, base=base) for file in (data, whole))
        assert list(ours) == list(theirs)
        for name, tensor in ours.items():
            assert tensor.layout == theirs[name].layout
            assert torch.equal(tensor.to_dense(), theirs[name].to_dense()), (layout, name)
    monkeypatch.setattr(devices, "_EXPANDING", ("cpu",))
    for name, tensor in pemncodec.load(data, base=base).items():
        assert torch.equal(tensor, pemncodec.load(whole)[name])


def test_nothing_in_common() -> None:
    """The file is what it would be without a base, and the report says so."""
    network = tiled(2, 8000)
    other = tiled(2, 8000, seed=5)
    for entry in list(other.entries):
        if isinstance(entry, Tensor):
            other = with_tensors(other, **{entry.name.replace(".", "__"): floats(64, seed=len(entry.name) + 50)})
    data, report = pemncodec.pack(other, base=encode(network))
    assert data == pemncodec.save(other)
    assert report.notes == ["nothing in common with the base: the file can be read without it"]
    assert pemncodec.pack(other)[1].notes == []
    assert pemncodec.pack(other, base=[])[1].notes == []


def test_what_saves_less_than_the_name_of_the_base_is_no_delta() -> None:
    network = MaskedNetwork([Tensor("t", FLOAT32, (20,), floats(20, seed=1))])
    base = encode(network)
    for count, delta in ((20, False), (40, True)):
        network.entries = [Tensor("t", FLOAT32, (count,), floats(count, seed=1))]
        base = encode(network)
        data = encode(network, base=base)
        assert (manifest_of(data).base is not None) == delta
        assert len(data) <= len(base)


def test_a_stale_base_in_the_metadata() -> None:
    """A file that has neither coder is complete in itself, whatever the key says; ours leaves it out."""
    network = tiled(1, 800)
    network.metadata = {BASE_KEY: "nonsense", "a": "b"}
    assert manifest_of(encode(network)).metadata == {"a": "b"}


def test_first_content_needs_the_base() -> None:
    """The helper of the other tests does not give one, and nothing is read from elsewhere."""
    network = tiled(1, 8000)
    with pytest.raises(pemncodec.BaseFileError, match="is a delta against a base with SHA-256"):
        first_content(encode(network, base=encode(network)), [])
