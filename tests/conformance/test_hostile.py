"""Files that are valid, or nearly, and made to cost a decoder dear: work and memory stay in proportion."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import numpy as np
import pytest

import pemncodec
from pemncodec import errors
from pemncodec.coding.blocks import coders as tensors
from pemncodec.common.dtypes import FLOAT32
from pemncodec.container.manifest.rows import BlockRow, KeptRow, Manifest, MaskRow, TensorRow, TiledRow, ValuesRow
from pemncodec.container.writer import Sections, write_container
from pemncodec.loading.verify import verify_file

pytestmark = pytest.mark.usefixtures("both_ways")  # with the compiled loops, and without

ONES = MaskRow(coder=0, length=1, ones=1, size=0)


def tiled(number: int, prototype: int = 0, scale_bits: int | None = None, phase: int = 0) -> TiledRow:
    return TiledRow(f"t{number}", 0, (1,), 0, prototype, phase, 0, scale_bits, None, 0)


def file_of(manifest: Manifest, payloads: list[bytes]) -> bytes:
    sections = Sections()
    for payload in payloads:
        sections.add(payload)
    return write_container(manifest, [sections]).to_bytes()


def test_many_small_tensors_in_two_large_blocks(calls: Counter[str]) -> None:
    """Alternating between two blocks decodes each of them once."""
    rows = [TensorRow(f"t{i}", 0, (500,), i % 2) for i in range(2000)]
    block, payload = tensors.encode_block(np.zeros(500_000, dtype=np.uint32), FLOAT32)
    data = file_of(Manifest(blocks=(block, block), entries=tuple(rows)), [payload, payload])
    assert len(data) < 20_000
    assert verify_file(data) == 2000
    assert calls["block"] == 2
    assert len(pemncodec.load(data)) == 2000
    assert calls["block"] == 4


def test_many_layers_under_one_mask(calls: Counter[str]) -> None:
    block, payload = tensors.encode_block(np.ones(1000, dtype=np.uint32), FLOAT32)
    rows = tuple(KeptRow(f"t{i}", 0, (1,), 0, 0) for i in range(1000))
    data = file_of(Manifest(masks=(ONES,), blocks=(block,), entries=rows), [b"", payload])
    assert verify_file(data) == 1000
    assert calls["mask"] == 1


def test_many_scales_of_one_long_prototype() -> None:
    """Each layer has one element and its own scale: memory and work are those of the elements used."""
    length, layers = 1 << 20, 300
    block, payload = tensors.encode_block(np.full(length, 0x3F800000, dtype=np.uint32), FLOAT32)
    rows = tuple(tiled(i, scale_bits=0x3F800000 + i) for i in range(layers))
    manifest = Manifest(masks=(ONES,), blocks=(block,), prototypes=(ValuesRow(length, 0, None),), entries=rows)
    data = file_of(manifest, [b"", payload])
    tracemalloc.start()
    loaded = pemncodec.load(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [tensor.view(-1).numpy().view(np.uint32)[0] for tensor in loaded.values()] == [
        0x3F800000 + i for i in range(layers)
    ]
    assert peak < 8 * 4 * length, "not one scaled copy a layer"


def test_a_block_of_another_task_counts() -> None:
    """One element of a task shares its block with 2^40 of another: the block is refused before it is made."""
    block = BlockRow(FLOAT32, coder=3, size=6)
    payload = b"\0\0" + b"\0\0\0\0"
    rows = (TensorRow("small", 1, (1,), 0), TensorRow("large", 2, (1 << 40,), 0))
    data = file_of(Manifest(tasks=("a", "b"), blocks=(block,), entries=rows), [payload])
    with pytest.raises(errors.LimitError, match="block 0 decodes to"):
        pemncodec.load(data, task="a")
    with pemncodec.open(data, task="a") as file, pytest.raises(errors.LimitError, match="block 0"):
        file.get_tensor("small")


@pytest.mark.parametrize("shape", [(1 << 48,), (1 << 24, 1 << 24), (1 << 31, 1 << 8)])
def test_tiny_files_of_huge_networks_allocate_nothing(shape: tuple[int, ...]) -> None:
    count = int(np.prod(shape, dtype=object))
    mask = MaskRow(0, count, count, 0)
    block, payload = tensors.encode_block(np.full(1, 0x3F800000, dtype=np.uint32), FLOAT32)
    rows = (TiledRow("t", 0, shape, 0, 0, 0, 0, None, None, 0),)
    manifest = Manifest(masks=(mask,), blocks=(block,), prototypes=(ValuesRow(1, 0, None),), entries=rows)
    data = file_of(manifest, [b"", payload])
    tracemalloc.start()
    with pytest.raises(errors.LimitError, match="max_bytes allows"):
        pemncodec.load(data)
    with pytest.raises(errors.LimitError):
        verify_file(data)
    with pemncodec.open(data) as file:
        assert file.shape("t") == shape
        for read in (file.get_tensor, file.get_numpy, file.get_mask):
            with pytest.raises(errors.LimitError):
                read("t")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 22


def test_more_than_the_machine_has_is_a_limit_error() -> None:
    """A caller that raises max_bytes too far gets the same error, not a MemoryError."""
    block, payload = tensors.encode_block(np.full(1, 1, dtype=np.uint32), FLOAT32)
    count = 1 << 47
    rows = (TiledRow("t", 0, (count,), 0, 0, 0, 0, None, None, 0),)
    manifest = Manifest(
        masks=(MaskRow(0, count, 0, 0),), blocks=(block,), prototypes=(ValuesRow(1, 0, None),), entries=rows
    )
    data = file_of(manifest, [b"", payload])
    with pytest.raises(errors.LimitError, match="more than the memory of this machine"):
        pemncodec.load(data, max_bytes=1 << 62)
    with pytest.raises(errors.LimitError, match="more than the memory of this machine"):
        verify_file(data, max_bytes=1 << 62)


def test_networks_that_do_not_fit_are_refused_when_written() -> None:
    network = pemncodec.MaskedNetwork(metadata={"long": "x" * (1 << 24)})
    with pytest.raises(errors.NetworkError, match="does not fit the format: its names, shapes and metadata take"):
        pemncodec.save(network)
