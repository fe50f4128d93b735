"""Small tensors that share a block, as the manifest of the file shows."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from pemncodec import Layer, Mask, MaskedNetwork, Tensor, load_network, save
from pemncodec.coding.encoder import encode
from pemncodec.common.dtypes import FLOAT32
from pemncodec.container.manifest.rows import KeptRow, Manifest, TensorRow
from pemncodec.container.opening import open_container
from pemncodec.network.model import KeptFill

KINDS = ("weight", "bias", "running_mean", "running_var")


def batchnorms(layers: int, channels: int, scales: tuple[float, ...] = (1.0, 1e-3, 30.0, 1e5)) -> MaskedNetwork:
    """Normal values of another spread for each kind."""
    rng = np.random.default_rng(0)
    network = MaskedNetwork()
    for layer in range(layers):
        for kind, scale in zip(KINDS, scales, strict=True):
            values = (rng.standard_normal(channels) * scale).astype(np.float32).view(np.uint32)
            network.entries.append(Tensor(f"{layer}.{kind}", FLOAT32, (channels,), values))
    return network


def manifest_of(data: bytes) -> Manifest:
    return open_container(data).manifest


def kinds_by_block(data: bytes) -> list[set[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    for row in manifest_of(data).entries:
        assert isinstance(row, TensorRow)
        found[row.block].add(row.name.rsplit(".", 1)[-1])
    return [found[block] for block in sorted(found)]


def test_kinds_of_different_values_have_blocks_of_their_own() -> None:
    data = encode(batchnorms(10, 256))
    assert kinds_by_block(data) == [{kind} for kind in KINDS]
    alike = encode(batchnorms(10, 256, (1.0, 1.0, 1.0, 1.0)))
    assert len(kinds_by_block(alike)) < 4


def test_short_kinds_are_together() -> None:
    assert kinds_by_block(encode(batchnorms(1, 8))) == [set(KINDS)]


def test_a_block_of_several_tensors_is_no_larger_than_64_kib_and_holds_them_in_order() -> None:
    network = batchnorms(100, 300)
    data = encode(network)
    manifest = manifest_of(data)
    counts, _, starts = manifest.block_users()
    assert max(counts) * 4 <= 1 << 16
    order: dict[int, list[int]] = defaultdict(list)
    for index, row in enumerate(manifest.entries):
        assert isinstance(row, TensorRow)
        order[row.block].append(starts[index])
    assert all(found == sorted(found) for found in order.values())
    again = load_network(data)
    for before, after in zip(network.tensors, again.tensors, strict=True):
        assert np.array_equal(before.values, after.values)


def test_first_users_of_blocks_are_in_order() -> None:
    rows = [row.block for row in manifest_of(encode(batchnorms(100, 300))).entries if isinstance(row, TensorRow)]
    first = [rows.index(block) for block in sorted(set(rows))]
    assert first == sorted(first)


def test_more_kinds_than_are_told_apart() -> None:
    """Ten thousand parameters with names of their own take no search over all pairs."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((10_000, 3)).astype(np.float32).view(np.uint32)
    network = MaskedNetwork([Tensor(f"p{i}", FLOAT32, (3,), row) for i, row in enumerate(values)])
    data = save(network)
    assert len(manifest_of(data).blocks) <= 10
    assert all(
        np.array_equal(a.values, b.values) for a, b in zip(network.tensors, load_network(data).tensors, strict=True)
    )


def test_kept_values_are_made_one_layer_at_a_time() -> None:
    """A network whose kept values would not fit beside each other is packed all the same."""
    alive = most = 0
    network = MaskedNetwork()

    class Values(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            alive -= self.base is None

    def make() -> np.ndarray:
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        values = Values((30_000,), dtype=np.uint32)
        values[:] = np.arange(30_000)
        return values

    for number in range(6):
        network.masks.append(Mask.from_bool(np.arange(60_000) % 2 == number % 2))
        network.entries.append(Layer(f"l{number}", (60_000,), number, KeptFill(FLOAT32, make)))
    data = encode(network)
    assert most == 1
    assert sum(isinstance(row, KeptRow) for row in manifest_of(data).entries) == 6
    assert load_network(data).words_of("l5")[1::2].tolist() == list(range(30_000))
