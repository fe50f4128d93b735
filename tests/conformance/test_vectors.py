"""The conformance vectors of the specification, through the package and through the second decoder."""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import pemncodec
from pemncodec.errors import FormatError, NotFoundError
from pemncodec.loading.file import PemnFile
from pemncodec.loading.verify import verify_file

from ..networks import MAX_BYTES, SPEC, Content, first_content, second, second_content, second_decode

pytestmark = pytest.mark.usefixtures("both_ways")  # with the compiled loops, and without

VECTORS = SPEC / "vectors"
EXPECTED: dict[str, dict[str, Any]] = json.loads((VECTORS / "invalid" / "expected.json").read_text("utf-8"))
DESCRIBED: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((VECTORS / "valid").glob("*.json"))
}
# A row with a base is of a delta, or of something that is to be refused although a base is given.
VALID = [name for name, row in DESCRIBED.items() if "base" not in row]
DELTAS = [name for name, row in DESCRIBED.items() if "base" in row]
INVALID = [name for name, row in EXPECTED.items() if "base" not in row]
INVALID_DELTAS = [name for name, row in EXPECTED.items() if "base" in row]


def described(rows: list[dict[str, Any]], content: Content, task: str) -> list[tuple[str, str, tuple[int, ...], bytes]]:
    """The rows of a description; the data of large tensors from `content` if their hash is right."""
    out = []
    for row, found in zip(rows, content[task], strict=True):
        if "sha256" in row:
            assert hashlib.sha256(found[3]).hexdigest() == row["sha256"], row["name"]
            data = found[3]
        else:
            data = bytes.fromhex(row["data"])
        out.append((row["name"], row["dtype"], tuple(row["shape"]), data))
    return out


def bases_of(path: Path) -> list[Path]:
    """The base of a vector, the base of that, and so on; each stands in the description of the one before."""
    rows = DESCRIBED if path.parent.name == "valid" else EXPECTED
    if "base" not in rows[path.stem]:
        return []
    base = (path.parent / rows[path.stem]["base"]).resolve()
    return [base, *bases_of(base)]


def contents(paths: list[Path]) -> list[bytes]:
    return [path.read_bytes() for path in paths]


def by_digest(bases: list[Path]) -> dict[str, bytes]:
    """The bases as the second decoder takes them."""
    return {hashlib.sha256(content).hexdigest(): content for content in contents(bases)}


def test_vectors_are_there() -> None:
    assert len(VALID) >= 50
    assert len(DELTAS) >= 70
    assert len(EXPECTED) >= 350
    assert len(INVALID_DELTAS) >= 300
    assert {path.stem for path in (VECTORS / "valid").glob("*.pemn")} == set(DESCRIBED)
    assert {path.stem for path in (VECTORS / "invalid").glob("*.pemn")} == set(EXPECTED)
    classes = {row["class"] for row in EXPECTED.values()}
    assert classes == {"magic", "version", "truncated", "trailing", "checksum", "manifest", "payload", "limit"}


@pytest.mark.parametrize("name", VALID)
def test_valid(name: str) -> None:
    data = (VECTORS / "valid" / f"{name}.pemn").read_bytes()
    description = DESCRIBED[name]
    theirs, ours = second_content(data), first_content(data, description["tasks"])
    assert set(theirs) == set(ours) == set(description["networks"])
    for task, rows in description["networks"].items():
        assert ours[task] == described(rows, ours, task)
        assert theirs[task] == described(rows, theirs, task)
        network = second_decode(data, task or None)
        assert (network.metadata, network.tasks) == (description["metadata"], description["tasks"])
        with PemnFile(data, task=task or None) as file:
            assert (file.metadata, file.tasks) == (description["metadata"], description["tasks"])
    verify_file(data)


@pytest.mark.parametrize("name", VALID)
def test_valid_as_tensors(name: str) -> None:
    """The same bits through torch."""
    data = (VECTORS / "valid" / f"{name}.pemn").read_bytes()
    for task, rows in second_content(data).items():
        tensors = pemncodec.load(data, task=task or None)
        assert list(tensors) == [row[0] for row in rows]
        for name_, dtype, shape, content in rows:
            tensor = tensors[name_]
            assert (str(tensor.dtype), tuple(tensor.shape)) == (f"torch.{dtype}", shape)
            assert tensor.reshape(-1).view(torch.uint8).numpy().tobytes() == content


def rows_of(tensors: dict[str, torch.Tensor]) -> list[tuple[str, str, tuple[int, ...], bytes]]:
    return [
        (
            name,
            str(tensor.dtype).removeprefix("torch."),
            tuple(tensor.shape),
            tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes(),
        )
        for name, tensor in tensors.items()
    ]


@pytest.mark.parametrize("name", DELTAS)
def test_delta_by_the_second_decoder(name: str) -> None:
    path = VECTORS / "valid" / f"{name}.pemn"
    data, bases = path.read_bytes(), by_digest(bases_of(path))
    description = DESCRIBED[name]
    assert second.tasks(data) == description["tasks"]  # without the base
    for task, rows in description["networks"].items():
        network = second.decode(data, task or None, base=bases)
        assert (network.metadata, network.tasks) == (description["metadata"], description["tasks"])
        found = [(name_, t.dtype, t.shape, t.data) for name_, t in network.tensors.items()]
        assert found == described(rows, {task: found}, task)
        if len(bases) == 1:
            assert second.decode(data, task or None, base=contents(bases_of(path))[0]) == network
        assert second.decode(data, task or None, base=bases.get) == network


@pytest.mark.parametrize("name", DELTAS)
def test_delta(name: str) -> None:
    """The base as bytes, as a path, and in a sequence."""
    path = VECTORS / "valid" / f"{name}.pemn"
    data, bases = path.read_bytes(), bases_of(path)
    for task, rows in DESCRIBED[name]["networks"].items():
        found = rows_of(pemncodec.load(data, task=task or None, base=contents(bases)))
        assert found == described(rows, {task: found}, task)
        given: list[Any] = [bases, bases[::-1], [contents(bases)[0], *bases[1:]]]
        given += [bases[0], contents(bases)[0]] if len(bases) == 1 else []
        for base in given:
            assert rows_of(pemncodec.load_file(path, task=task or None, base=base)) == found
    assert pemncodec.load_network(path, base=bases).metadata["pemn.base"] in by_digest(bases)


def not_its_base(name: str) -> list[bytes | None]:
    """No base, others, the delta itself, and of a chain the first only."""
    path = VECTORS / "valid" / f"{name}.pemn"
    bases = contents(bases_of(path))
    return [None, path.read_bytes(), bases[0] + b"\0", b"", *(bases[:1] if len(bases) > 1 else [])]


def tasks_upon_the_base(name: str) -> list[str | None]:
    """The tasks that cannot be decoded without the base: all but those of nothing, or described otherwise."""
    without = DESCRIBED[name].get("without_base", [])
    tasks = [task or None for task, rows in DESCRIBED[name]["networks"].items() if rows and task not in without]
    assert tasks
    return tasks


@pytest.mark.parametrize("name", DELTAS)
def test_delta_without_its_base_by_the_second_decoder(name: str) -> None:
    data = (VECTORS / "valid" / f"{name}.pemn").read_bytes()
    for task in tasks_upon_the_base(name):
        for base in not_its_base(name):
            with pytest.raises(second.BaseError):
                second.decode(data, task, base=base)


@pytest.mark.parametrize("name", DELTAS)
def test_delta_without_its_base(name: str) -> None:
    """The caller's error, of no class."""
    data = (VECTORS / "valid" / f"{name}.pemn").read_bytes()
    for task in tasks_upon_the_base(name):
        for base in not_its_base(name):
            with pytest.raises(pemncodec.PemnError) as caught:
                pemncodec.load(data, task=task, base=base)
            assert not isinstance(caught.value, FormatError)


def test_tasks_that_need_no_base() -> None:
    """Section 6.2: it is not asked for where nothing is decoded that is coded by it, not even for a task of nothing."""
    cases = [(name, task) for name in DELTAS for task in DESCRIBED[name].get("without_base", [])]
    assert cases == [("delta_tasks_without_base", "y"), ("delta_tasks_without_base", "none")]
    for name, task in cases:
        data, rows = (VECTORS / "valid" / f"{name}.pemn").read_bytes(), DESCRIBED[name]["networks"][task]
        for base in (None, b"no file at all"):
            theirs = [
                (row, t.dtype, t.shape, t.data) for row, t in second.decode(data, task, base=base).tensors.items()
            ]
            assert theirs == described(rows, {task: theirs}, task)
            assert rows_of(pemncodec.load(data, task=task, base=base)) == theirs


SOUND = [(name, task, of) for name, row in EXPECTED.items() for task, of in row.get("sound", {}).items()]


@pytest.mark.parametrize(("name", "task", "of"), SOUND)
def test_what_only_other_tasks_use_is_not_decoded(name: str, task: str, of: str) -> None:
    """Masks, blocks and prototypes of other tasks may be broken, and what they refer to in the base."""
    assert len(SOUND) >= 7
    path, rows = VECTORS / "invalid" / f"{name}.pemn", DESCRIBED[of]["networks"][task]
    data, bases = path.read_bytes(), bases_of(path)
    theirs = [
        (row, t.dtype, t.shape, t.data) for row, t in second.decode(data, task, base=by_digest(bases)).tensors.items()
    ]
    assert theirs == described(rows, {task: theirs}, task)
    assert rows_of(pemncodec.load_file(path, task=task, base=bases)) == theirs
    with PemnFile(path, task=task, base=bases) as file:
        assert [(key, file.get_numpy(key).tobytes()) for key in file] == [(row[0], row[3]) for row in theirs]


@pytest.mark.parametrize("name", ["base_key_unused", "base_key_unused_minor_3", "base_key_unused_empty", "one_tensor"])
def test_nobody_looks_at_the_base_of_a_file_that_is_no_delta(name: str) -> None:
    assert name in VALID
    data = (VECTORS / "valid" / f"{name}.pemn").read_bytes()
    found = rows_of(pemncodec.load(data))
    for base in (b"", b"no file at all", data):
        assert second.decode(data, base=base) == second.decode(data)
        assert rows_of(pemncodec.load(data, base=base)) == found
        assert rows_of(pemncodec.load(data, base=[base, base])) == found


SHORT_CHAIN = [VECTORS / "valid" / f"{name}.pemn" for name in ("delta_same_rans_users", "rans_users")]


def chain(length: int) -> list[bytes]:
    """A delta, its base, the base of that and so on, `length` bases in all; each holds the same."""
    delta, base = contents(SHORT_CHAIN)
    manifest_end = 36 + int.from_bytes(delta[12:16], "little")
    at = delta.index(b"pemn.base\x40", 36, manifest_end) + 10  # the manifest is stored plain
    pages_end = len(delta) - int.from_bytes(delta[20:28], "little")
    files = [base]
    for _ in range(length):
        rest = delta[36:at] + hashlib.sha256(files[0]).hexdigest().encode() + delta[at + 64 :]
        head = delta[:28] + zlib.crc32(rest[: pages_end - 36]).to_bytes(4, "little")
        files.insert(0, head + zlib.crc32(head).to_bytes(4, "little") + rest)
    return files


def test_longest_chain() -> None:
    """Section 6.2: at most 32 bases; a decoder may refuse one more, and both do."""
    rows = DESCRIBED["delta_same_rans_users"]["networks"][""]
    assert chain(1) == contents(SHORT_CHAIN)
    for length in (1, 2, 32):
        data, *bases = chain(length)
        theirs = second.decode(data, base={hashlib.sha256(base).hexdigest(): base for base in bases})
        found = [(name, t.dtype, t.shape, t.data) for name, t in theirs.tensors.items()]
        assert found == described(rows, {"": found}, "")
        assert rows_of(pemncodec.load(data, base=bases)) == found
    data, *bases = chain(33)
    with pytest.raises(second.DecodeError) as caught:
        second.decode(data, base={hashlib.sha256(base).hexdigest(): base for base in bases})
    assert caught.value.kind == "limit"
    with pytest.raises(FormatError) as caught_too:
        pemncodec.load(data, base=bases)
    assert caught_too.value.kind == "limit"


def first_kind(data: bytes, max_bytes: int, task: str | None) -> str:
    """The class of the error that decoding in order gives."""
    decode = partial(verify_file, data) if task is None else partial(pemncodec.load, data, task=task)
    with pytest.raises(FormatError) as caught:
        decode(max_bytes=max_bytes)
    assert len(str(caught.value)) > 10
    return caught.value.kind


def second_kind(data: bytes, max_bytes: int, task: str | None) -> str:
    decode = partial(second_content, data) if task is None else partial(second_decode, data, task)
    with pytest.raises(second.DecodeError) as caught:
        decode(max_bytes=max_bytes)
    return str(caught.value.kind)


@pytest.mark.parametrize("name", INVALID)
def test_invalid(name: str) -> None:
    data = (VECTORS / "invalid" / f"{name}.pemn").read_bytes()
    row = EXPECTED[name]
    limit, task = row.get("max_bytes", MAX_BYTES), row.get("task")
    assert first_kind(data, limit, task) == row["class"], row["reason"]
    assert second_kind(data, limit, task) == row["class"], row["reason"]


@pytest.mark.parametrize("name", INVALID_DELTAS)
def test_invalid_delta_by_the_second_decoder(name: str) -> None:
    path = VECTORS / "invalid" / f"{name}.pemn"
    row = EXPECTED[name]
    with pytest.raises(second.DecodeError) as caught:
        second.decode(path.read_bytes(), row.get("task"), row.get("max_bytes", MAX_BYTES), by_digest(bases_of(path)))
    assert caught.value.kind == row["class"], row["reason"]


@pytest.mark.parametrize("name", INVALID_DELTAS)
def test_invalid_delta(name: str) -> None:
    path = VECTORS / "invalid" / f"{name}.pemn"
    row, bases = EXPECTED[name], bases_of(path)
    task, limit = row.get("task"), row.get("max_bytes", MAX_BYTES)
    for load in (
        partial(pemncodec.load_file, path, base=bases),
        partial(pemncodec.load, path.read_bytes(), base=contents(bases)),
    ):
        with pytest.raises(FormatError) as caught:
            load(task=task, max_bytes=limit)
        assert caught.value.kind == row["class"], row["reason"]
        assert len(str(caught.value)) > 10


@pytest.mark.parametrize("name", INVALID)
def test_invalid_from_a_file(name: str, tmp_path: Path) -> None:
    """From a path, loaded as tensors: what has no tasks is read in full, so nothing may slip through."""
    path = tmp_path / "file.pemn"
    shutil.copy(VECTORS / "invalid" / f"{name}.pemn", path)
    row = EXPECTED[name]
    with pytest.raises(pemncodec.PemnError) as caught:
        pemncodec.load_file(path, task=row.get("task"), max_bytes=row.get("max_bytes", MAX_BYTES))
    if isinstance(caught.value, FormatError):
        assert caught.value.kind == row["class"]
    else:  # the caller chose no task: that comes first here, and is no error of the file
        assert isinstance(caught.value, NotFoundError)
        assert name in ("max_bytes_all_tasks", "max_bytes_zero")
        assert "choose one of" in str(caught.value)


def test_limits_are_exact() -> None:
    """One byte more than where the vectors of section 4.7 fail is enough."""
    generated = ("drawn_max_bytes_", "dialect_max_bytes_")
    names = [name for name, row in EXPECTED.items() if name.startswith(generated) and "task" not in row]
    assert len(names) == 14
    rows = {name: EXPECTED[name] for name in ("max_bytes_layer_and_prototype", "max_bytes_tensor", *names)}
    for name, row in rows.items():
        data = (VECTORS / "invalid" / f"{name}.pemn").read_bytes()
        verify_file(data, max_bytes=row["max_bytes"] + 1)
        second_content(data, row["max_bytes"] + 1)


def limited_deltas() -> dict[Path, int]:
    """The deltas that fail by one byte, and that byte more."""
    names = [name for name in INVALID_DELTAS if name.startswith("delta_max_bytes_")]
    return {VECTORS / "invalid" / f"{name}.pemn": EXPECTED[name]["max_bytes"] + 1 for name in names}


def test_limits_of_deltas_are_exact_in_the_second_decoder() -> None:
    assert len(limited_deltas()) == 8
    for path, limit in limited_deltas().items():
        second.decode(path.read_bytes(), None, limit, by_digest(bases_of(path)))


def test_limits_of_deltas_are_exact() -> None:
    for path, limit in limited_deltas().items():
        pemncodec.load_file(path, max_bytes=limit, base=bases_of(path))
