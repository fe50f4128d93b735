"""Files that are written tensor by tensor, against what torch.save and safetensors make of the same tensors."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch

import pemncodec
from pemncodec import errors
from pemncodec.checkpoints.writing.saving import StreamedTensor, save_state_dict, save_streamed
from pemncodec.checkpoints.writing.streamed import Piece
from pemncodec.common import dtypes, torch_tensors

from .. import published

SHAPES: list[tuple[int, ...]] = [(3, 5), (), (0,), (2, 0, 3), (4, 0), (1,), (2, 3, 1, 2)]
NAMES = ["plain", "", "dots.and.more", "quote\"'\\", "line\nbreak\x1b\x7f", "grün.重み", "a/b", "\u2028😀", "data.pkl"]
HERE = [dtype for dtype in dtypes.BY_NAME.values() if hasattr(torch, dtype.name)]
NOT_IN_SAFETENSORS = ("complex32", "complex128")


def tensor_of(dtype: dtypes.DType, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Any bits, so that NaN payloads and −0.0 are there too."""
    generator = torch.Generator().manual_seed(seed)
    count = math.prod(shape) * dtype.itemsize
    raw = torch.randint(0, 2 if dtype.name == "bool" else 256, (count,), dtype=torch.uint8, generator=generator)
    tensor, words = torch_tensors.empty(dtype, shape)
    words.view("u1")[:] = raw.numpy()
    return tensor


def whole_state(dtype_list: list[dtypes.DType]) -> dict[str, torch.Tensor]:
    """Every dtype in every shape, in an order of no kind, and a tied tensor."""
    state = {}
    for number, dtype in enumerate(reversed(dtype_list)):
        for place, shape in enumerate(SHAPES):
            if (dtype.name, shape) != ("float4_e2m1fn_x2", ()):  # safetensors refuses it
                name = f"{(7 * number) % 23}.{NAMES[place]}{place}"
                state[name] = tensor_of(dtype, shape, number * 100 + place)
    state["tied"] = state[next(iter(state))]
    return state


def streamed(state: dict[str, torch.Tensor], step: int = 7) -> list[StreamedTensor]:
    """The tensors of a state_dict in pieces of a few bytes; one object under two names is tied."""
    result: list[StreamedTensor] = []
    first: dict[int, str] = {}
    for name, tensor in state.items():
        dtype, words = torch_tensors.to_words(tensor, name)
        raw = words.astype(words.dtype.newbyteorder("<")).tobytes()
        result.append(StreamedTensor(name, dtype, tuple(tensor.shape), cut(raw, step), first.get(id(tensor))))
        first.setdefault(id(tensor), name)
    return result


def cut(raw: bytes, step: int) -> Callable[[], Iterator[Piece]]:
    return lambda: (raw[start : start + step] for start in range(0, len(raw), step))


def assert_same(loaded: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert type(loaded) is dict
    assert list(loaded) == list(expected)
    for name, tensor in expected.items():
        found = loaded[name]
        assert (found.dtype, found.shape, found.stride()) == (tensor.dtype, tensor.shape, tensor.stride()), name
        assert type(found) is type(tensor)
        assert not found.requires_grad
        assert torch_tensors.to_words(found, name)[1].tobytes() == torch_tensors.to_words(tensor, name)[1].tobytes()


def test_the_pickle_is_the_one_of_torch_save(tmp_path: Path) -> None:
    state = whole_state(HERE)
    expected = io.BytesIO()
    torch.save(state, expected)
    save_streamed(streamed(state), tmp_path / "a.pt", overwrite=False)
    with zipfile.ZipFile(expected) as theirs, zipfile.ZipFile(tmp_path / "a.pt") as ours:
        assert ours.testzip() is None
        own = {info.filename: ours.read(info) for info in ours.infolist()}
        other = {info.filename: theirs.read(info) for info in theirs.infolist()}
    assert set(own) <= set(other)
    assert {name: other[name] for name in own} == own
    left_out = {Path(name).name for name in set(other) - set(own)}
    assert left_out <= {".format_version", ".storage_alignment", "serialization_id"}


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
@pytest.mark.parametrize("mmap", [False, True])
def test_torch_loads_what_it_saved(tmp_path: Path, mmap: bool) -> None:
    state = whole_state(HERE)
    torch.save(state, tmp_path / "theirs.pt")
    save_streamed(streamed(state), tmp_path / "ours.pt", overwrite=False)
    expected = torch.load(tmp_path / "theirs.pt", weights_only=True)
    loaded = torch.load(tmp_path / "ours.pt", weights_only=True, mmap=mmap)
    assert_same(loaded, expected)
    first = next(iter(loaded))
    assert loaded["tied"] is loaded[first]
    assert all(tensor.data_ptr() % 64 == 0 for tensor in loaded.values())
    assert pemncodec.load_checkpoint(tmp_path / "ours.pt").keys() == loaded.keys()


def test_storages_begin_at_multiples_of_64(tmp_path: Path) -> None:
    save_streamed(streamed(whole_state(HERE)), tmp_path / "a.pt", overwrite=False)
    raw = (tmp_path / "a.pt").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        for info in archive.infolist():
            lengths = raw[info.header_offset + 26 : info.header_offset + 30]
            start = info.header_offset + 30 + sum(int.from_bytes(lengths[i : i + 2], "little") for i in (0, 2))
            assert start % 64 == 0, info.filename
            assert raw[start : start + info.file_size] == archive.read(info)


def test_large_records_are_zip64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same paths as beyond 2 GiB, with a limit of 100 bytes."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    state = {"large": torch.arange(100.0), "small": torch.arange(3), "last": torch.arange(200, dtype=torch.int8)}
    save_streamed(streamed(state), tmp_path / "a.pt", overwrite=False)
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        assert archive.testzip() is None
        assert archive.getinfo("archive/data/0").extract_version >= 45
    for mmap in (False, True):
        loaded = torch.load(tmp_path / "a.pt", weights_only=True, mmap=mmap)
        assert_same(loaded, state)
        assert all(tensor.data_ptr() % 64 == 0 for tensor in loaded.values())


def test_safetensors_are_byte_for_byte_those_of_the_library(tmp_path: Path) -> None:
    known = [dtype for dtype in HERE if dtype.name not in NOT_IN_SAFETENSORS]
    state = whole_state(known)
    save_state_dict(dict(state), tmp_path / "theirs.safetensors", overwrite=False)
    save_streamed(streamed(state), tmp_path / "ours.safetensors", overwrite=False)
    assert (tmp_path / "ours.safetensors").read_bytes() == (tmp_path / "theirs.safetensors").read_bytes()
    loaded = safetensors.torch.load_file(tmp_path / "ours.safetensors")
    assert loaded.keys() == state.keys()
    assert_same({name: loaded[name] for name in state}, state)
    assert loaded["tied"].data_ptr() != loaded[next(iter(state))].data_ptr()


def test_what_safetensors_lacks_is_refused(tmp_path: Path) -> None:
    for name in NOT_IN_SAFETENSORS:
        state = {"fine": torch.zeros(2), "x": tensor_of(dtypes.BY_NAME[name], (2,), 0)}
        with pytest.raises(errors.OutputError, match=rf"^safetensors has no {name} \('x'\): name the output .pt$"):
            save_streamed(streamed(state), tmp_path / "a.safetensors", overwrite=False)
    scalar = StreamedTensor("x", dtypes.BY_NAME["float4_e2m1fn_x2"], (), cut(b"1", 1))
    if hasattr(torch, "float4_e2m1fn_x2"):
        with pytest.raises(errors.OutputError, match="has no scalar of float4_e2m1fn_x2"):
            save_streamed([scalar], tmp_path / "a.safetensors", overwrite=False)
    with pytest.raises(errors.OutputError, match="no tensor called '__metadata__'"):
        save_streamed(streamed({"__metadata__": torch.zeros(1)}), tmp_path / "a.safetensors", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_dtype_that_torch_lacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = streamed({"x": torch.zeros(3, dtype=torch.uint16)})
    monkeypatch.delattr(torch, "uint16")
    for suffix in ("pt", "safetensors"):
        with pytest.raises(errors.UnsupportedTensorError, match="has no uint16"):
            save_streamed(tensors, tmp_path / f"a.{suffix}", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_empty_and_single(tmp_path: Path) -> None:
    for state in ({}, {"x": torch.tensor(3.5)}, {"x": torch.empty(0)}):
        save_streamed(streamed(state), tmp_path / "a.pt", overwrite=True)
        assert_same(torch.load(tmp_path / "a.pt", weights_only=True), state)
        save_streamed(streamed(state), tmp_path / "a.safetensors", overwrite=True)
        assert (tmp_path / "a.safetensors").read_bytes() == safetensors.torch.save(state)


def test_pieces_of_any_type(tmp_path: Path) -> None:
    """Arrays of types that memoryview cannot cast, slices with strides, empty pieces."""
    values = torch.arange(12).to(torch.complex64).numpy()

    def pieces() -> Iterator[Piece]:
        yield values[:2].reshape(1, 2)
        yield b""
        yield values[2:2]
        yield memoryview(values[2:6].tobytes())
        yield values.repeat(2)[12::2]

    for suffix in ("pt", "safetensors"):
        path = tmp_path / f"a.{suffix}"
        save_streamed([StreamedTensor("x", dtypes.BY_NAME["complex64"], (3, 4), pieces)], path, overwrite=False)
        loaded = torch.load(path) if suffix == "pt" else safetensors.torch.load_file(path)
        assert_same(loaded, {"x": torch.from_numpy(values).reshape(3, 4)})


@pytest.mark.parametrize("kind", [errors.PayloadError, KeyboardInterrupt])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_failure_on_the_way_leaves_nothing(tmp_path: Path, suffix: str, kind: type[BaseException]) -> None:
    path = tmp_path / f"a.{suffix}"

    def failing() -> Iterator[Piece]:
        yield bytes(100_000)
        raise kind("found late")

    bad = StreamedTensor("b", dtypes.FLOAT32, (50_000,), failing)
    with pytest.raises(kind, match="found late"):
        save_streamed([*streamed({"a": torch.zeros(3)}), bad], path, overwrite=False)
    assert list(tmp_path.iterdir()) == []
    path.write_text("precious")
    with pytest.raises(kind, match="found late"):
        save_streamed([bad], path, overwrite=True)
    with pytest.raises(errors.OutputExistsError):
        save_streamed([bad], path, overwrite=False)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_contradictions_are_refused(tmp_path: Path, suffix: str) -> None:
    def one(name: str, raw: bytes, same_as: str | None = None, count: int = 2) -> StreamedTensor:
        return StreamedTensor(name, dtypes.FLOAT32, (count,), cut(raw, 3), same_as)

    right = one("a", bytes(8))
    for tensors, phrase in (
        ([one("a", bytes(7))], "do not add up to its 8 bytes"),
        ([one("a", bytes(9))], "do not add up to its 8 bytes"),
        ([one("a", b"")], "do not add up to its 8 bytes"),
        ([right, right], "two tensors are named 'a'"),
        ([one("b", bytes(8), "a"), right], "cannot be tied to 'a'"),
        ([right, one("b", bytes(12), "a", count=3)], "cannot be tied to 'a'"),
    ):
        with pytest.raises(ValueError, match=phrase):
            save_streamed(tensors, tmp_path / f"a.{suffix}", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_ties_of_ties(tmp_path: Path) -> None:
    def never() -> Iterator[Piece]:
        raise AssertionError("the pieces of a tied tensor are not wanted")

    first = streamed({"a": torch.arange(5)})
    ties = [StreamedTensor(name, first[0].dtype, (5,), never, same) for name, same in (("b", "a"), ("c", "b"))]
    save_streamed([*first, *ties], tmp_path / "a.pt", overwrite=False)
    loaded = torch.load(tmp_path / "a.pt")
    assert loaded["a"] is loaded["b"] is loaded["c"]
    save_streamed([*first, *ties], tmp_path / "a.safetensors", overwrite=False)
    assert_same(safetensors.torch.load_file(tmp_path / "a.safetensors"), loaded)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_progress_runs_to_its_end(tmp_path: Path, suffix: str) -> None:
    seen: list[tuple[int, int, str]] = []
    state = whole_state(HERE[:4])
    save_streamed(streamed(state), tmp_path / f"a.{suffix}", overwrite=False, progress=lambda *told: seen.append(told))
    total = sum(t.nbytes for name, t in state.items() if suffix != "pt" or name != "tied")
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert {told[1] for told in seen} == {total}
    assert seen[-1] == (total, total, "")
    assert len({done for done, _, _ in seen}) > len(state), "a tensor of several pieces is several steps"
    assert {name for _, _, name in seen[:-1]} == set(state) - ({"tied"} if suffix == "pt" else set())


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A masked network behind a prefix, with tied tensors, a scalar, and a plain tensor of a rare dtype."""
    state = {f"module.{name}": tensor for name, tensor in published.checkpoint("random-vector-copy").items()}
    state["module.tied"] = state["module.0.norm.bias"]
    state["module.scalar"] = torch.tensor(-0.0)
    state["module.half"] = tensor_of(dtypes.BY_NAME["bfloat16"], (20_000,), 0)
    path = tmp_path_factory.mktemp("packed") / "model.pemn"
    pemncodec.save_file(state, path, keep=0.5)
    return path


def test_unpack_file_is_load_file(tmp_path: Path, packed: Path) -> None:
    for strip in (False, True):
        expected = pemncodec.load_file(packed, strip_prefix=strip)
        names = pemncodec.unpack_file(packed, tmp_path / "a.pt", strip_prefix=strip)
        assert names == list(expected)
        loaded = torch.load(tmp_path / "a.pt", weights_only=True)
        assert_same(loaded, expected)
        prefix = "" if strip else "module."
        assert loaded[f"{prefix}tied"] is loaded[f"{prefix}0.norm.bias"]
        assert pemncodec.unpack_file(packed, tmp_path / "a.safetensors", strip_prefix=strip) == names
        save_state_dict(expected, tmp_path / "b.safetensors", overwrite=True)
        assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_unpack_file_refuses(tmp_path: Path, packed: Path) -> None:
    path = tmp_path / "a.pt"
    with pytest.raises(errors.LimitError, match=r"the file decodes to .* max_bytes allows 41000"):
        pemncodec.unpack_file(packed, path, max_bytes=41_000)  # every tensor alone is smaller
    with pytest.raises(errors.NotFoundError, match="no task 'x'"):
        pemncodec.unpack_file(packed, path, task="x")
    with pytest.raises(errors.FileAccessError, match="cannot be read"):
        pemncodec.unpack_file(tmp_path / "none.pemn", path)
    before = packed.read_bytes()
    with pytest.raises(errors.OutputExistsError, match="is the input itself"):
        pemncodec.unpack_file(packed, packed)
    assert packed.read_bytes() == before
    damaged = tmp_path / "damaged.pemn"
    damaged.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    for output in (path, tmp_path / "a.safetensors"):
        with pytest.raises(errors.ChecksumError, match=rf"^{re.escape(str(damaged))}: "):
            pemncodec.unpack_file(damaged, output)
    path.write_text("precious")
    with pytest.raises(errors.OutputExistsError):
        pemncodec.unpack_file(packed, path, overwrite=False)
    assert path.read_text() == "precious"
    assert sorted(tmp_path.iterdir()) == [path, damaged]


def test_tasks_are_unpacked_one_at_a_time(tmp_path: Path) -> None:
    network = pemncodec.MaskedNetwork(tasks=["a", "b"])
    for number in (1, 2):
        dtype, words = torch_tensors.to_words(torch.full((3,), float(number)), "x")
        network.entries.append(pemncodec.Tensor("x", dtype, (3,), words, number))
    pemncodec.save_file(network, tmp_path / "t.pemn")
    assert pemncodec.unpack_file(tmp_path / "t.pemn", tmp_path / "b.pt", task="b") == ["x"]
    assert torch.load(tmp_path / "b.pt")["x"].tolist() == [2, 2, 2]


RUN = """
import sys
from pathlib import Path
import torch
from pemncodec.common import dtypes
from pemncodec.checkpoints.writing.saving import StreamedTensor, save_streamed

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

def tensors(count, step=1 << 20):
    zeros = bytes(step)
    pieces = lambda: (zeros[: min(step, 4 * count - at)] for at in range(0, 4 * count, step))
    return [StreamedTensor("a", dtypes.FLOAT32, (count,), pieces),
            StreamedTensor("b", dtypes.FLOAT32, (count,), pieces, "a")]
"""


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_memory_stays_small(tmp_path: Path, suffix: str) -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of memory is read from Linux's /proc")
    run = RUN + (
        "path = Path(sys.argv[1])\n"
        "save_streamed(tensors(10), path, overwrite=True)\n"
        "Path('/proc/self/clear_refs').write_text('5')\n"
        "before = peak()\n"
        "save_streamed(tensors(100_000_000), path, overwrite=True)\n"
        "print(peak() - before)\n"
    )
    path = tmp_path / f"a.{suffix}"
    result = subprocess.run([sys.executable, "-c", run, str(path)], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 64 << 20
    size = path.stat().st_size
    assert 400_000_000 <= size <= 400_010_000 if suffix == "pt" else 800_000_000 <= size <= 800_010_000
    if suffix == "pt":
        loaded = torch.load(path, weights_only=True, mmap=True)
        assert loaded["a"].shape == (100_000_000,)
    path.unlink()  # pytest keeps the folders of several runs


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("limit", [100, 70_000, 4_000_000])
def test_no_room_is_one_line(tmp_path: Path, suffix: str, limit: int) -> None:
    """A limit on the size of files stands for a full disk: both are an OSError of write, early or late."""
    pytest.importorskip("resource", reason="this system has no limit on the size of files")
    run = RUN + (
        "import resource\n"
        "from pemncodec import errors\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try:\n"
        "    save_streamed(tensors(1_000_000), Path(sys.argv[1]), overwrite=True)\n"
        "except errors.OutputError as reason:\n"
        "    print(reason)\n"
    )
    path = tmp_path / f"a.{suffix}"
    result = subprocess.run([sys.executable, "-c", run, str(path)], capture_output=True, text=True, check=True)
    assert result.stdout == f"{path} cannot be written: File too large\n"
    assert result.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_the_header_of_safetensors_is_aligned(tmp_path: Path) -> None:
    for length in range(1, 10):
        path = tmp_path / "a.safetensors"
        save_streamed(streamed({"x" * length: torch.zeros(3)}), path, overwrite=True)
        raw = path.read_bytes()
        size = int.from_bytes(raw[:8], "little")
        assert size % 8 == 0
        assert json.loads(raw[8 : 8 + size]) == {
            "x" * length: {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},
        }
        assert len(raw) == 8 + size + 12
