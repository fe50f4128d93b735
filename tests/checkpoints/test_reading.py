"""Checkpoint files are read as data: archives of any make, pickles of any protocol, and what hides in them."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import subprocess
import sys
import threading
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec import errors
from pemncodec.checkpoints.reading import mapped

from ..published import bits

STATE: dict[str, Any] = {
    "float": torch.linspace(-1, 1, 24).reshape(4, 6),
    "view": torch.arange(24.0).reshape(4, 6)[1:, ::2],
    "bfloat": torch.tensor([1.5, float("nan"), -0.0], dtype=torch.bfloat16),
    "fp8": torch.tensor([1.0, 2.0]).to(torch.float8_e5m2),
    "wide": torch.tensor([1, 65535], dtype=torch.uint16),
    "complex": torch.tensor([1 + 2j, 3 - 4j]).conj(),
    "parameter": torch.nn.Parameter(torch.ones(3)),
    "scalar": torch.tensor(7),
    "none": torch.empty(0, 3),
    "bool": torch.tensor([True, False]),
}


def assert_read(found: dict[str, Any], expected: dict[str, Any] = STATE) -> None:
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape), name
        assert bits(found[name].resolve_conj()) == bits(tensor.detach().resolve_conj()), name


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_every_protocol(tmp_path: Path, protocol: int, zipped: bool) -> None:
    state = OrderedDict(STATE) if protocol % 2 else defaultdict(None, STATE)
    torch.save(state, tmp_path / "a.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    assert_read(pemncodec.load_checkpoint(tmp_path / "a.pt"))


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_plain_pickle_of_tensors_and_arrays(tmp_path: Path, protocol: int) -> None:
    arrays = {"big": np.arange(5, dtype=">f8"), "columns": np.asfortranarray(np.ones((2, 3))), "one": np.float32(0.5)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(STATE | arrays, protocol=protocol))
    found = pemncodec.load_checkpoint(tmp_path / "a.pkl")
    assert_read({name: found[name] for name in STATE})
    for name, array in arrays.items():
        assert np.array_equal(found[name], np.asarray(array))


def test_tensors_of_one_storage_share_memory(tmp_path: Path) -> None:
    weight = torch.randn(3, 4)
    torch.save({"a": weight, "b": weight.t(), "c": weight.clone()}, tmp_path / "a.pt")
    found = pemncodec.load_checkpoint(tmp_path / "a.pt")
    assert found["a"].data_ptr() == found["b"].data_ptr() != found["c"].data_ptr()


# --- archives ---------------------------------------------------------------------------------------------------------


def rewritten(path: Path, change: Any, method: int = zipfile.ZIP_STORED) -> None:
    """The same records, each as `change(name, data)` gives it."""
    with zipfile.ZipFile(path) as archive:
        records = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in records:
            archive.writestr(*change(name, data))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_records_are_inflated(tmp_path: Path, method: int) -> None:
    torch.save(STATE, tmp_path / "a.pt")
    rewritten(tmp_path / "a.pt", lambda name, data: (name, data), method)
    assert_read(pemncodec.load_checkpoint(tmp_path / "a.pt"))


def test_records_at_any_offset(tmp_path: Path) -> None:
    """An archive that was packed again is not aligned."""
    torch.save(STATE, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        records = [(name, archive.read(name)) for name in archive.namelist()]
    for fill in range(8):
        with zipfile.ZipFile(tmp_path / "b.pt", "w") as archive:
            for name, data in [("archive/first", bytes(fill)), *records]:
                archive.writestr(name, data)
        assert_read(pemncodec.load_checkpoint(tmp_path / "b.pt"))


def test_big_endian_numbers(tmp_path: Path) -> None:
    state = {"f": torch.tensor([1.0, -2.5]), "c": torch.tensor([1 + 2j]), "i": torch.tensor([258], dtype=torch.int16)}
    torch.save(state, tmp_path / "a.pt")
    widths = iter([4, 4, 2])

    def swapped(name: str, data: bytes) -> tuple[str, bytes]:
        if name.endswith("byteorder"):
            return name, b"big"
        if "/data/" in name:
            width = next(widths)
            data = b"".join(data[at : at + width][::-1] for at in range(0, len(data), width))
        return name, data

    rewritten(tmp_path / "a.pt", swapped)
    assert_read(pemncodec.load_checkpoint(tmp_path / "a.pt"), state)


def flipped(path: Path, record: str) -> None:
    with zipfile.ZipFile(path) as archive:
        info = next(one for one in archive.infolist() if one.filename.endswith(record))
    data = bytearray(path.read_bytes())
    names = struct.unpack("<HH", data[info.header_offset + 26 : info.header_offset + 30])
    data[info.header_offset + 30 + sum(names) + info.compress_size // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_flipped_bit_in_a_storage_is_refused(tmp_path: Path, method: int) -> None:
    torch.save({"w": torch.arange(1000.0)}, tmp_path / "a.pt")
    rewritten(tmp_path / "a.pt", lambda name, data: (name, data), method)
    flipped(tmp_path / "a.pt", "data/0")
    with pytest.raises(errors.UnreadableCheckpointError, match=r"is damaged: record .*data/0.*--no-checksums"):
        pemncodec.load_checkpoint(tmp_path / "a.pt")
    if method == zipfile.ZIP_STORED:
        found = pemncodec.load_checkpoint(tmp_path / "a.pt", checksums=False)["w"]
        assert int((found != torch.arange(1000.0)).sum()) == 1


def test_an_archive_without_checksums_says_which_option_reads_it(tmp_path: Path) -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": torch.arange(1000.0)}, tmp_path / "a.pt")
    finally:
        torch.serialization.set_crc32_options(before)
    with pytest.raises(errors.UnreadableCheckpointError, match="--no-checksums"):
        pemncodec.load_checkpoint(tmp_path / "a.pt")
    assert torch.equal(pemncodec.load_checkpoint(tmp_path / "a.pt", checksums=False)["w"], torch.arange(1000.0))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_records_of_one_name_are_refused(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        name = next(one for one in archive.namelist() if one.endswith("data/0"))
        data = archive.read(name)
    with zipfile.ZipFile(tmp_path / "a.pt", "a") as archive:
        archive.writestr(name, bytes(len(data)))
    with pytest.raises(errors.UnreadableCheckpointError, match="two records of one name"):
        pemncodec.load_checkpoint(tmp_path / "a.pt")


def test_every_flipped_byte_of_a_small_archive_is_refused_or_harmless(tmp_path: Path) -> None:
    torch.save({"w": torch.arange(8.0)}, tmp_path / "a.pt")
    whole = (tmp_path / "a.pt").read_bytes()
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 0x41
        (tmp_path / "b.pt").write_bytes(data)
        try:
            found = pemncodec.load_checkpoint(tmp_path / "b.pt")
        except errors.CheckpointError:
            continue
        assert_read(found, {"w": torch.arange(8.0)})


# --- what a pickle may say --------------------------------------------------------------------------------------------


def archive_of(data: bytes, storages: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", data)
        for key, content in storages.items():
            archive.writestr(f"a/data/{key}", content)
    return buffer.getvalue()


def tensor_pickle(size: str, strides: str, offset: str = "K\x00", count: int = 4) -> bytes:
    """A dictionary of one tensor, opcode by opcode: (storage of `count` floats, offset, size, strides)."""
    storage = (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK"
        + bytes([count])
        + b"tQ"
    )
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset.encode("latin1")
    tensor += size.encode("latin1") + strides.encode("latin1") + b"\x89}tR"
    return b"\x80\x02}X\x01\x00\x00\x00w" + tensor + b"s."


@pytest.mark.parametrize(
    ("size", "strides", "offset", "count"),
    [
        ("K\x05\x85", "K\x01\x85", "K\x00", 4),  # more than the storage has
        ("K\x02\x85", "K\x03\x85", "K\x01", 4),  # begins within, ends behind
        ("K\x02\x85", "K\x01K\x01\x86", "K\x00", 4),  # more strides than dimensions
        ("K\x01\x85", "J\xff\xff\xff\xff\x85", "K\x00", 4),  # a stride below 0
        ("K\x01\x85", "K\x01\x85", "J\xff\xff\xff\xff", 4),  # an offset below 0
        ("K\x04\x85", "K\x01\x85", "K\x00", 8),  # a storage that is shorter than it says
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(
    tmp_path: Path, size: str, strides: str, offset: str, count: int
) -> None:
    data = tensor_pickle(size, strides, offset, count)
    pickletools.dis(data, io.StringIO())  # it is well formed
    (tmp_path / "a.pt").write_bytes(archive_of(data, {"0": bytes(16)}))
    with pytest.raises(errors.UnreadableCheckpointError, match=r"damaged|holds less of storage"):
        pemncodec.load_checkpoint(tmp_path / "a.pt")


def test_elements_that_repeat_are_bounded(tmp_path: Path) -> None:
    state = {"w": torch.zeros(1).expand(1 << 20, 1 << 12)}
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(errors.CheckpointSizeError, match="expands by more than"):
        pemncodec.load_checkpoint(tmp_path / "a.pt", max_bytes=1 << 30)
    with zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("a/data/0", bytes(1 << 24))
    with pytest.raises(errors.CheckpointSizeError, match="inflates to"):
        pemncodec.load_checkpoint(tmp_path / "b.pt", max_bytes=1 << 20)


def copies(times: int) -> bytes:
    """A pickle in which a list of a thousand items becomes a tuple many times over."""
    front = b"\x80\x02](" + b"K\x00" * 1000 + b"eq\x000ccollections\nOrderedDict\nq\x010cbuiltins\nset\nq\x020]"
    return front + b"h\x02h\x00\x85R0" * times + b"}." if times else front + b"."


def test_what_is_named_many_times_is_not_copied_without_end(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(archive_of(copies(3), {}))
    assert pemncodec.load_checkpoint(tmp_path / "a.pt") == {}
    (tmp_path / "a.pt").write_bytes(archive_of(copies(20_000), {}))
    with pytest.raises(errors.UnreadableCheckpointError, match="damaged"):
        pemncodec.load_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
        b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
        b"\x80\x02c__builtin__\ngetattr\n.",
        b"\x80\x02ctorch\nload\nX\x04\x00\x00\x00a.pt\x85R.",
        b"\x80\x02cnumpy\nload\nX\x04\x00\x00\x00a.pt\x85R.",
        b"\x80\x02\x82\x01.",  # the registry of extensions
        b"\x80\x02ccopyreg\n_reconstructor\n.",
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_no_name_is_looked_up(tmp_path: Path, data: bytes, zipped: bool) -> None:
    (tmp_path / "a.pt").write_bytes(archive_of(data, {}) if zipped else data)
    with pytest.raises(errors.UnsafeCheckpointError, match="reading it would run code"):
        pemncodec.load_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "state",
    [b"ctorch\nfloat32\n}X\x04\x00\x00\x00nameK\x01sb", b"ccollections\nOrderedDict\n}X\x01\x00\x00\x00aK\x01sb"],
)
def test_nothing_of_the_process_is_changed(tmp_path: Path, state: bytes) -> None:
    """BUILD sets attributes: of what stands for a class that must not be the class."""
    (tmp_path / "a.pt").write_bytes(archive_of(b"\x80\x02" + state + b".", {}))
    with pytest.raises(errors.CheckpointError):
        pemncodec.save(pemncodec.load_checkpoint(tmp_path / "a.pt"))
    assert str(torch.float32) == "torch.float32"
    assert not hasattr(OrderedDict, "a")


# --- files that change ------------------------------------------------------------------------------------------------

SHRINK = """
import sys, os, pemncodec
from pathlib import Path
path, out = Path(sys.argv[1]), Path(sys.argv[2])
loaded = pemncodec.load_checkpoint(path)
os.truncate(path, 4096)
try:
    pemncodec.save_file(loaded, out)
except pemncodec.UnreadableCheckpointError as reason:
    print(reason)
"""


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_a_file_that_shrinks_while_it_is_mapped(tmp_path: Path, name: str) -> None:
    state = {f"w{n}": torch.randn(1 << 20) for n in range(3)}
    if name.endswith("pt"):
        torch.save(state, tmp_path / name)
    else:
        from safetensors.torch import save_file

        save_file(state, tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", SHRINK, str(tmp_path / name), str(tmp_path / "out.pemn")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    if mapped.mapping_is_guarded():
        assert done.stdout == "the checkpoint became shorter while it was read: try again when it is complete\n"
        assert not (tmp_path / "out.pemn").exists()
    else:  # it was read into memory before it changed
        assert torch.equal(pemncodec.load_file(tmp_path / "out.pemn")["w2"], state["w2"])


def test_a_file_that_changes_is_not_packed(tmp_path: Path) -> None:
    from pemncodec.checkpoints.reading.mapped import Watch

    path = tmp_path / "a.pt"
    torch.save({"w": torch.ones(3)}, path)
    watch = Watch(path, tmp_path / "none.pt")
    watch.check()
    torch.save({"w": torch.zeros(5)}, path)
    with pytest.raises(errors.UnreadableCheckpointError, match=r"a\.pt changed while it was read"):
        watch.check()


def test_many_threads_read_one_file(tmp_path: Path) -> None:
    torch.save(STATE | {"large": torch.randn(1 << 19)}, tmp_path / "a.pt")
    faults: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(5):
                assert_read({name: pemncodec.load_checkpoint(tmp_path / "a.pt")[name] for name in STATE})
        except BaseException as reason:
            faults.append(reason)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


# --- folders of shards ------------------------------------------------------------------------------------------------


def shards(folder: Path, index: str) -> dict[str, torch.Tensor]:
    from safetensors.torch import save_file

    folder.mkdir()
    state = {f"l{n}.weight": torch.full((2, 2), float(n)) for n in range(4)}
    for number in (1, 2):
        names = list(state)[2 * number - 2 : 2 * number]
        save_file({name: state[name] for name in names}, folder / f"model-0000{number}-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text(index)
    return state


MAP = '{"metadata": {}, "weight_map": {%s}}'
WHOLE = ", ".join(f'"l{n}.weight": "model-0000{1 + n // 2}-of-00002.safetensors"' for n in range(4))


def test_shards_are_one_network(tmp_path: Path) -> None:
    state = shards(tmp_path / "hf", MAP % WHOLE)
    assert_read(pemncodec.load_checkpoint(tmp_path / "hf"), state)


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ("{", "damaged index"),
        ("[1]", "without a weight_map"),
        ('{"weight_map": {"a": 1}}', "without a weight_map"),
        (MAP % '"l0.weight": "../secret.safetensors"', "lacks the shard '../secret.safetensors'"),
        (MAP % '"l0.weight": "/etc/passwd"', "lacks the shard '/etc/passwd'"),
        (MAP % '"l0.weight": "model-00003-of-00003.safetensors"', "lacks the shard"),
        (MAP % (WHOLE + ', "l9.weight": "model-00001-of-00002.safetensors"'), "has no tensor 'l9.weight'"),
        (MAP % '"l0.weight": "model-00001-of-00002.safetensors"', "its index does not list"),
    ],
)
def test_an_index_that_does_not_fit(tmp_path: Path, index: str, says: str) -> None:
    (tmp_path / "secret.safetensors").write_bytes(b"")
    shards(tmp_path / "hf", index)
    with pytest.raises(errors.UnreadableCheckpointError, match="hf ") as caught:
        pemncodec.load_checkpoint(tmp_path / "hf")
    assert says in str(caught.value)


# --- containers in containers -----------------------------------------------------------------------------------------


def doubled(depth: int, inner: Any) -> Any:
    """A dictionary with the one below it twice, and so on: 2^depth paths to `inner`."""
    for _ in range(depth):
        inner = {"x": inner, "y": inner}
    return inner


def test_containers_that_are_named_twice_each(tmp_path: Path) -> None:
    """Packing ends where 2^60 paths lead to one dictionary; a walk along every path would not."""
    torch.save({"state_dict": {"w": torch.ones(3)}, "beside": doubled(60, {})}, tmp_path / "a.pt")
    data = pemncodec.save(pemncodec.load_checkpoint(tmp_path / "a.pt"))
    assert list(pemncodec.load(data)) == ["w"]
    torch.save({"state_dict": doubled(60, {"w": torch.ones(3)})}, tmp_path / "a.pt")
    with pytest.raises(errors.UnknownLayoutError, match="too many tensors: a file holds at most 262144"):
        pemncodec.save(pemncodec.load_checkpoint(tmp_path / "a.pt"))
    result = subprocess.run(
        [sys.executable, "-m", "pemncodec", "pack", "a.pt"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)


def test_a_dictionary_that_holds_itself() -> None:
    state: dict[str, Any] = {"w": torch.ones(3)}
    state["self"] = state
    with pytest.raises(errors.UnknownLayoutError, match="nested more than 64 deep"):
        pemncodec.save({"state_dict": state})


def test_dictionaries_and_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    checkpoint = {
        "model": {"pos": torch.ones(3), "encoder": {"fc": {"weight": np.eye(4, dtype=np.float32)}, 0: torch.zeros(2)}},
        "epoch": 3,
    }
    report = pemncodec.save_file(checkpoint, tmp_path / "a.pemn")
    assert list(pemncodec.load_file(tmp_path / "a.pemn")) == ["pos", "encoder.fc.weight", "encoder.0"]
    assert report.dropped == ["epoch"]
    back = pemncodec.load_original(tmp_path / "a.pemn")["model"]
    assert list(back) == ["pos", "encoder"]
    assert isinstance(back["encoder"]["fc"]["weight"], np.ndarray)
    assert np.array_equal(back["encoder"]["fc"]["weight"], np.eye(4))
    assert torch.equal(back["encoder"][0], torch.zeros(2))


@pytest.mark.parametrize("keep", [np.float32(0.5), np.float64(0.5), {"*": np.float16(0.5)}])
def test_numbers_of_numpy_are_fractions(keep: Any) -> None:
    state = {"l.weight": torch.randn(6, 6), "l.scores": torch.randn(6, 6)}
    assert pemncodec.save(state, keep=keep) == pemncodec.save(state, keep=0.5)


def test_one_element_may_have_any_stride(tmp_path: Path) -> None:
    state = {"c": torch.ones(1, 3, dtype=torch.complex128)[:, :1], "f": torch.ones(4, 3)[:1, :1].t()}
    torch.save(state, tmp_path / "a.pt")
    loaded = pemncodec.load(pemncodec.save(pemncodec.load_checkpoint(tmp_path / "a.pt")))
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    result = subprocess.run(
        [sys.executable, "-m", "pemncodec", "pack", "a.pt"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "compared: 2 tensors equal those that torch.load reads" in result.stdout, result.stderr


def test_what_torch_cannot_compute_is_refused_by_name() -> None:
    state = {"w": torch._neg_view(torch.ones(3).to(torch.float8_e4m3fn))}
    with pytest.raises(errors.UnsupportedTensorError, match="'w' cannot be read"):
        pemncodec.save(state)
    masks = {"w": torch.tensor([1.0, 0.0])}
    with pytest.raises(errors.UnsupportedTensorError, match="'w' has a mask, but its dtype float8_e8m0fnu has no zero"):
        pemncodec.save({"w": torch.ones(2).to(torch.float8_e8m0fnu)}, masks=masks)
