"""The base of a delta: given or not, the right one or another, chains of them, and when it is read."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec.checkpoints.options import PackOptions
from pemncodec.checkpoints.recognise import draft_of
from pemncodec.coding.delta import base_files as base_module
from pemncodec.coding.delta.base_files import MAX_CHAIN, Bases
from pemncodec.coding.encoder import encode
from pemncodec.common.dtypes import FLOAT32
from pemncodec.container.manifest.rows import BASE_KEY, BlockRow, Manifest, TensorRow
from pemncodec.container.reader import Container
from pemncodec.errors import (
    BaseFileError,
    ChecksumError,
    FileAccessError,
    LimitError,
    MagicError,
    ManifestError,
    OutputExistsError,
    PemnError,
)
from pemncodec.loading.compare import compare
from pemncodec.loading.file import PemnFile
from pemncodec.loading.verify import verify_file
from pemncodec.network.model import Layer, MaskedNetwork, StoredPrototype, Tensor, TileFill

from .. import published
from ..cli.test_cli import fails, pemn
from ..deltas import (
    by_hand,
    coders,
    decoder_of,
    flipped,
    floats,
    manifest_of,
    raw_flips,
    raw_xor,
    resealed,
    sha256,
    tensor_delta,
    tiled,
    with_tensors,
)
from ..networks import random_mask, split

NETWORK = tiled(2, 8000)
CHANGED = with_tensors(flipped(NETWORK, 0.05), **{"1__bias": floats(64, seed=99)})
BASE, WHOLE = encode(NETWORK), encode(CHANGED)
DELTA = encode(CHANGED, base=BASE)
DIGEST = sha256(BASE)
MISSING = f"the file is a delta against a base with SHA-256 {DIGEST}: pass the base with --base \\(base=\\)$"

NOTHING: tuple[Any, ...] = (None, [], ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in (("base.pemn", BASE), ("delta.pemn", DELTA), ("whole.pemn", WHOLE)):
        (tmp_path / name).write_bytes(data)
    return tmp_path


def same(one: published.StateDict, two: published.StateDict) -> None:
    assert list(one) == list(two)
    for name in one:
        assert one[name].numpy().tobytes() == two[name].numpy().tobytes()


def opened(source: bytes | Path, base: Any, method: str) -> object:
    with PemnFile(source, base=base) as file:
        return getattr(file, method)("1.weight")


def readers(data: bytes, path: Path) -> dict[str, Callable[[Any], object]]:
    """Everything that decodes, by what it is called; of a base."""
    model = torch.nn.Module()
    for name, tensor in pemncodec.load(WHOLE).items():
        module = model
        part, last = name.split(".")
        if part not in dict(model.named_children()):
            model.add_module(part, torch.nn.Module())
        module = model.get_submodule(part)
        module.register_buffer(last, torch.zeros_like(tensor))
    draft = draft_of(pemncodec.load(WHOLE), PackOptions())
    return {
        "load": lambda base: pemncodec.load(data, base=base),
        "load_file": lambda base: pemncodec.load_file(path, base=base),
        "load_model": lambda base: pemncodec.load_model(model, path, base=base),
        "load_network": lambda base: pemncodec.load_network(data, base=base),
        "get_tensor": lambda base: opened(path, base, "get_tensor"),
        "get_numpy": lambda base: opened(data, base, "get_numpy"),
        "get_mask": lambda base: opened(data, base, "get_mask"),
        "verify_file": lambda base: verify_file(data, base=base),
        "unpack_file": lambda base: pemncodec.unpack_file(path, path.with_name("out.safetensors"), base=base),
        "compare": lambda base: compare(data, draft, base=base),
    }


NAMES = list(readers(DELTA, Path("none")))


# --- given, missing, another ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_reader_takes_it_and_says_what_is_wrong(folder: Path, name: str) -> None:
    read = readers(DELTA, folder / "delta.pemn")[name]
    path = folder / "base.pemn"
    for base in (BASE, bytearray(BASE), memoryview(BASE), path, str(path), [path], (BASE, path), [WHOLE, path]):
        read(base)
    for nothing in NOTHING:
        with pytest.raises(BaseFileError, match=MISSING):
            read(nothing)
    with pytest.raises(
        BaseFileError,
        match=rf"whole\.pemn is not the base: its SHA-256 is {sha256(WHOLE)[:16]}…, expected {DIGEST}$",
    ):
        read(folder / "whole.pemn")
    with pytest.raises(
        BaseFileError, match=rf"a file of {len(WHOLE)} bytes is not the base: its SHA-256 is {sha256(WHOLE)[:16]}…"
    ):
        read(WHOLE)
    with pytest.raises(
        BaseFileError,
        match=rf"none of the given files is the base: expected SHA-256 {DIGEST}, but .*whole\.pemn has .*, a file",
    ):
        read([folder / "whole.pemn", DELTA])
    with pytest.raises(FileAccessError, match=r"none\.pemn cannot be read: No such file or directory"):
        read(folder / "none.pemn")


def test_errors_name_the_delta(folder: Path) -> None:
    with pytest.raises(BaseFileError, match=r"^.*delta\.pemn: the file is a delta against"):
        pemncodec.load_file(folder / "delta.pemn")
    with pytest.raises(BaseFileError, match=r"^.*delta\.pemn: .*whole\.pemn is not the base"):
        verify_file(folder / "delta.pemn", base=folder / "whole.pemn")


def test_a_complete_file_does_without(folder: Path) -> None:
    """A base that is given is not even opened."""
    for base in (folder / "none.pemn", b"", WHOLE, [DELTA, BASE]):
        same(pemncodec.load(WHOLE, base=base), pemncodec.load(WHOLE))
        assert verify_file(WHOLE, base=base) == 4


def test_every_damage_of_the_base_is_seen_before_it_is_used() -> None:
    """Also where no checksum of the base covers what is read."""
    for where in range(0, len(BASE), 37):
        damaged = bytearray(BASE)
        damaged[where] ^= 0x20
        with pytest.raises(BaseFileError, match="is not the base: its SHA-256 is"):
            pemncodec.load(DELTA, base=damaged)
    for base in (BASE[:-1], BASE + b"\0", b""):
        with pytest.raises(BaseFileError, match="is not the base: its SHA-256 is"):
            pemncodec.load(DELTA, base=base)


def test_a_base_that_was_damaged_before() -> None:
    """Its digest is right, and its errors are its own, with its own class."""
    start = len(BASE) - len(split(BASE)[1])
    damaged = bytearray(BASE)
    damaged[start + 5] ^= 1
    payload = raw_flips(0, np.zeros(8000, dtype=np.bool_))
    rows = manifest_of(DELTA)
    manifest = Manifest(masks=rows.masks[:1], prototypes=rows.prototypes, entries=(rows.entries[0],))
    with pytest.raises(ChecksumError, match=r"^the base \(a file of \d+ bytes\): the file is damaged between byte"):
        pemncodec.load(by_hand(manifest, [payload], bytes(damaged)), base=damaged)
    for base, error in (
        (b"\x89PEMN", "truncated"),
        (b"PK\x03\x04" + BASE, "magic"),
        (BASE[:40] + b"!" + BASE[41:], "checksum"),
    ):
        with pytest.raises(pemncodec.FormatError) as caught:
            pemncodec.load(by_hand(manifest, [payload], base), base=base)
        assert caught.value.kind == error


# --- what the metadata says -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "digest", ["", "0" * 63, "0" * 65, DIGEST.upper(), DIGEST + "\n", " " + DIGEST[1:], "g" + DIGEST[1:], "٣" * 64]
)
def test_no_digest(monkeypatch: pytest.MonkeyPatch, digest: str) -> None:
    block = Manifest(blocks=(BlockRow(FLOAT32, 6, 0),), entries=(TensorRow("t", 0, (1,), 0),))
    with monkeypatch.context() as patch:
        patch.setattr("pemncodec.container.writer.validate", lambda *_: None)
        data = by_hand(block, [b"\0\0" + bytes(4)], digest)
    for read in (pemncodec.open, partial(pemncodec.load, base=BASE), verify_file):
        with pytest.raises(ManifestError, match=r"the file is a delta, and its pemn\.base is .*: not a SHA-256"):
            read(data)


def test_no_key_at_all() -> None:
    manifest, payload = split(DELTA)
    key = BASE_KEY.encode()
    assert manifest.count(key) == 1
    other = manifest.replace(key, b"pemn.bass")
    with pytest.raises(ManifestError, match=r"its pemn\.base is '': not a SHA-256"):
        PemnFile(resealed(other, payload, 3))
    with pytest.raises(ManifestError, match=r"coder 8, which is unknown in format version 1\.2"):
        PemnFile(resealed(manifest, payload, 2))


# --- chains -----------------------------------------------------------------------------------------------------


def chain(length: int, count: int = 2000) -> tuple[list[bytes], MaskedNetwork]:
    """Files of which each is a delta against the one before, and the network of the last."""
    network = tiled(1, count)
    files = [encode(network)]
    for number in range(length):
        network = flipped(network, 0.02, seed=number)
        files.append(encode(network, base=files))
        assert manifest_of(files[-1]).base == sha256(files[-2])
    return files, network


def test_a_base_that_is_a_delta_itself(tmp_path: Path) -> None:
    files, network = chain(3)
    expected = pemncodec.load(encode(network))
    paths = [tmp_path / f"{number}.pemn" for number in range(4)]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    for order in permutations(range(3)):
        same(pemncodec.load(files[3], base=[files[number] for number in order]), expected)
        same(pemncodec.load_file(paths[3], base=[paths[number] for number in order]), expected)
    same(pemncodec.load(files[3], base=[WHOLE, files[1], paths[0], DELTA, files[2], files[2], paths[1]]), expected)
    assert encode(network, base=[files[2], files[0], paths[1]]) == encode(network, base=[files[0], files[1], files[2]])


def test_chains_with_something_missing(tmp_path: Path) -> None:
    files, _ = chain(3)
    path = tmp_path / "two.pemn"
    path.write_bytes(files[2])
    with pytest.raises(
        BaseFileError,
        match=rf"^the base \(.*two\.pemn\): the file is a delta against a base with SHA-256 {sha256(files[1])}: "
        r"pass the base with --base \(base=\) as well$",
    ):
        pemncodec.load(files[3], base=path)
    with pytest.raises(
        BaseFileError,
        match=rf"^the base \(.*two.pemn\): a file of \d+ bytes is not the base: .*, expected {sha256(files[1])}",
    ):
        pemncodec.load(files[3], base=[path, files[0]])
    with pytest.raises(
        BaseFileError, match=rf"^the base \(a file of {len(files[1])} bytes\): the file is a delta against"
    ):
        pemncodec.load(files[3], base=[files[1], files[2]])
    with pytest.raises(BaseFileError, match=r"^the base \(.*two\.pemn\): the file is a delta against"):
        encode(tiled(1, 2000), base=path)


def test_the_longest_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each link is a decoder inside a decoder, which Python would end with a RecursionError."""
    files, network = chain(MAX_CHAIN, 1600)
    same(pemncodec.load(files[-1], base=files), pemncodec.load(encode(network)))
    network = flipped(network, 0.02, seed=1000)
    with monkeypatch.context() as patch:
        patch.setattr(base_module, "MAX_CHAIN", MAX_CHAIN + 1)
        last = encode(network, base=files)
    with pytest.raises(
        LimitError, match=f"the chain of deltas is longer than {MAX_CHAIN}: pack the network without a base"
    ):
        pemncodec.load(last, base=files)
    with pytest.raises(LimitError, match=f"the chain of deltas is longer than {MAX_CHAIN}"):
        encode(network, base=files)


def test_which_of_several_files_a_network_is_packed_against() -> None:
    files, network = chain(2)
    new = flipped(network, 0.02, seed=9)
    assert manifest_of(encode(new, base=files)).base == sha256(files[2])
    assert manifest_of(encode(new, base=files[:2])).base == sha256(files[1])
    assert manifest_of(encode(new, base=[files[0], files[0]])).base == sha256(files[0])
    with pytest.raises(
        BaseFileError, match="are not bases of other given files: pass one base, and the bases that it needs"
    ):
        encode(new, base=[files[1], WHOLE])
    with pytest.raises(MagicError, match=r"not a \.pemn file"):
        encode(new, base=b"PK\x03\x04")
    with pytest.raises(FileAccessError, match="cannot be read"):
        encode(new, base="none.pemn")


# --- lazily -----------------------------------------------------------------------------------------------------


def test_what_needs_no_base_is_read_without() -> None:
    network = flipped(tiled(2, 8000), 0.05)
    network.entries.append(Tensor("large", FLOAT32, (20_000,), floats(20_000, seed=55)))
    data = encode(network, base=BASE)
    with PemnFile(data) as file:
        assert file.base == DIGEST
        assert file.metadata == {BASE_KEY: DIGEST}
        assert file.shape("0.weight") == (1000, 8)
        assert file.dtype("0.bias") == "float32"
        assert file.is_masked("1.weight")
        assert file.decoded_size > 100_000
        assert file.get_numpy("large").tobytes() == floats(20_000, seed=55).tobytes()
        for name in ("0.weight", "0.bias"):
            with pytest.raises(BaseFileError, match=MISSING):
                file.get_numpy(name)
    with PemnFile(WHOLE) as file:
        assert file.base is None


def _counted(opened: list[Any], source: Any, *more: Any) -> Container:
    opened.append(source)
    return Container(source, *more)


def test_the_base_is_opened_when_it_is_needed_and_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(base_module, "Container", partial(_counted, opened))
    with PemnFile(folder / "delta.pemn", base=folder / "base.pemn") as file:
        file.keys()
        assert opened == []
        for name in file.keys() * 3:
            file.get_numpy(name)
        assert len(opened) == 1
    with pytest.raises(FileAccessError, match="the file was closed"):
        opened[0].read(0, 1)


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many ask for many tensors at the same time; each gets its bits, and the base is opened once."""
    network = tiled(8, 20_000, StoredPrototype(FLOAT32, floats(300, seed=1)))
    base = encode(network)
    changed = flipped(network, 0.05)
    data, expected = encode(changed, base=base), pemncodec.load(encode(changed))
    opened: list[Any] = []
    monkeypatch.setattr(base_module, "Container", partial(_counted, opened))
    for threads in (1, 2, 5):
        same(pemncodec.load(data, base=base, threads=threads), expected)
    opened.clear()
    failures: list[str] = []
    with PemnFile(data, base=base) as file:
        barrier = threading.Barrier(6, timeout=60)

        def read(offset: int) -> None:
            barrier.wait()
            names = file.keys()
            for name in names[offset:] + names[:offset]:
                if file.get_numpy(name).tobytes() != expected[name].numpy().tobytes():
                    failures.append(name)

        workers = [threading.Thread(target=read, args=(2 * number,)) for number in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert failures == []
    assert len(opened) == 1


def test_the_limit_holds_for_the_base_by_itself() -> None:
    """A prototype of the base is longer than all that the delta is."""
    network = MaskedNetwork(
        prototypes=[StoredPrototype(FLOAT32, floats(5000, seed=1))], masks=[random_mask(200, 0.5, 1)]
    )
    network.entries = [Layer("w", (200,), 0, TileFill(0))]
    base = encode(network)
    data = encode(MaskedNetwork([Tensor("w", FLOAT32, (200,), network.words_of("w"))]), base=base)
    assert coders(data) == ([], [6])
    prototype = 20_000
    with PemnFile(data, base=base, max_bytes=prototype - 1) as lazy:
        for read in (
            partial(pemncodec.load, data, base=base, max_bytes=prototype - 1),
            partial(verify_file, data, base=base, max_bytes=prototype - 1),
            partial(pemncodec.load_network, data, base=base, max_bytes=prototype - 1),
            partial(lazy.get_numpy, "w"),
        ):
            with pytest.raises(
                LimitError, match=r"^the base \(.*\): prototype 0 decodes to 20000 bytes, but max_bytes allows 19999"
            ):
                read()
    assert len(pemncodec.load(data, base=base, max_bytes=prototype)["w"]) == 200


def test_what_is_taken_of_a_base_counts_once() -> None:
    """Entries without a reference do not count, and each entry counts once, also through a chain."""
    zeros = np.zeros(100, dtype=np.uint32)
    base = encode(
        MaskedNetwork([Tensor(f"b{number}", FLOAT32, (100,), floats(100, seed=number)) for number in range(3)])
    )
    one = tensor_delta(base, raw_xor([3, 3, 0], np.tile(zeros, 3)), [(100,)] * 3)
    two = tensor_delta(one, raw_xor([1, 2], np.tile(zeros, 2)), [(100,)] * 2)
    assert pemncodec.load(one, base=base, max_bytes=1200)["t1"].numpy().tobytes() == floats(100, seed=2).tobytes()
    with PemnFile(one, base=base, max_bytes=1200) as file:
        for _ in range(5):
            assert file.get_numpy("t0").tobytes() == floats(100, seed=2).tobytes()
    with pytest.raises(LimitError, match=r"^block 0 decodes to 1200 bytes|^the base .*: block 0 decodes to 1200 bytes"):
        pemncodec.load(two, base=[base, one], max_bytes=800)
    assert len(pemncodec.load(two, base=[base, one], max_bytes=1200)) == 2


def test_tensors_of_a_shared_block_can_be_changed() -> None:
    """They are nobody else's memory: not of the file's next answer, and not of each other."""
    state = {f"{number}.bias": torch.randn(100) for number in range(4)}
    for data, base in (
        (pemncodec.save(state), None),
        (pemncodec.save(state, base=pemncodec.save(state)), pemncodec.save(state)),
    ):
        assert len(manifest_of(data).blocks) == 1
        with PemnFile(data, base=base) as file:
            for _ in range(2):
                for name, tensor in state.items():
                    found = file.get_tensor(name)
                    assert torch.equal(found, tensor)
                    found.zero_()


# --- the command ------------------------------------------------------------------------------------------------


def test_the_command(tmp_path: Path) -> None:
    state = published.checkpoint("random-vector-copy")
    changed = dict(state)
    scores = state["3.1.scores"].clone()
    scores.reshape(-1)[::20] *= 10
    changed["3.1.scores"] = scores
    torch.save(state, tmp_path / "one.pt")
    torch.save(changed, tmp_path / "two.pt")
    pemn("pack", "one.pt", "--keep", "0.5", cwd=tmp_path)
    packed = pemn("pack", "two.pt", "--keep", "0.5", "--base", "one.pemn", cwd=tmp_path)
    assert packed.returncode == 0, packed.stderr
    digest = sha256((tmp_path / "one.pemn").read_bytes())
    assert f"note: the file is a delta: reading it needs its base, SHA-256 {digest}" in packed.stdout
    assert "verified: every tensor (31) decodes bit for bit" in packed.stdout
    assert (tmp_path / "two.pemn").stat().st_size < 0.5 * (tmp_path / "one.pemn").stat().st_size

    verified = pemn("verify", "two.pemn", "--base", "one.pemn", "--against", "two.pt", cwd=tmp_path)
    assert "two.pt: every tensor (31) is the same, bit for bit" in verified.stdout
    for layout in ("dense", "masked"):
        done = pemn("unpack", "two.pemn", f"{layout}.pt", "--layout", layout, "--base", "one.pemn", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    published.assert_equal(torch.load(tmp_path / "dense.pt"), published.effective(changed, 0.5))
    missing = f"two.pemn: the file is a delta against a base with SHA-256 {digest}: pass the base with --base (base=)"
    fails(pemn("verify", "two.pemn", cwd=tmp_path), missing)
    wrong = pemn("unpack", "two.pemn", "x.pt", "--base", "two.pemn", cwd=tmp_path)
    fails(wrong, "two.pemn: two.pemn is not the base: its SHA-256 is")
    nowhere = pemn("unpack", "two.pemn", "x.pt", "--layout", "csr", "--base", "no.pemn", cwd=tmp_path)
    fails(nowhere, "no.pemn cannot be read: No such file or directory")
    assert not (tmp_path / "x.pt").exists()


def test_inspect_without_the_base(folder: Path) -> None:
    shown = pemn("inspect", "delta.pemn", cwd=folder)
    assert f"delta: reading it needs its base, SHA-256 {DIGEST}\n" in shown.stdout
    assert "masks by flips (2)\n" in shown.stdout
    assert "blocks by xor (1)\n" in shown.stdout
    assert shown.stdout.count(DIGEST) == 1
    described = json.loads(pemn("inspect", "delta.pemn", "--json", cwd=folder).stdout)
    assert (described["version"], described["base"]) == ("1.3", DIGEST)
    assert described["coders"] == {"masks": {"flips": 2}, "blocks": {"xor": 1}}
    assert described["tensors"][0]["mask_coder"] == "flips"
    assert described["tensors"][1]["block_coder"] == "xor"
    whole = json.loads(pemn("inspect", "whole.pemn", "--json", cwd=folder).stdout)
    assert whole["base"] is None
    assert "delta:" not in pemn("inspect", "whole.pemn", cwd=folder).stdout


def test_the_base_is_never_the_output(folder: Path) -> None:
    """A delta that replaced its own base could not be read any more."""
    for call in (
        partial(pemncodec.save_file, CHANGED, folder / "base.pemn", base=folder / "base.pemn"),
        partial(pemncodec.save_file, CHANGED, folder / "base.pemn", base=[WHOLE, str(folder / "base.pemn")]),
        partial(pemncodec.unpack_file, folder / "delta.pemn", folder / "base.pemn", base=folder / "base.pemn"),
    ):
        with pytest.raises(OutputExistsError, match=r"base\.pemn is the base itself: name another output"):
            call()
    torch.save(pemncodec.load(WHOLE), folder / "whole.pt")
    for arguments in (("pack", "whole.pt", "base.pemn"), ("unpack", "delta.pemn", "./base.pemn", "--layout", "coo")):
        result = pemn(*arguments, "--force", "--base", "base.pemn", cwd=folder)
        fails(result, "base.pemn is the base itself: name another output")
    assert (folder / "base.pemn").read_bytes() == BASE


def test_save_file_against_a_path(folder: Path) -> None:
    report = pemncodec.save_file(CHANGED, folder / "new.pemn", base=folder / "base.pemn")
    assert (folder / "new.pemn").read_bytes() == DELTA == pemncodec.save(CHANGED, base=BASE)
    assert report.sizes.total == len(DELTA)
    shutil.copy(folder / "base.pemn", folder / "elsewhere.pemn")
    same(pemncodec.load_file(folder / "new.pemn", base=folder / "elsewhere.pemn"), pemncodec.load(WHOLE))


def test_bases_that_were_not_needed_are_closed_too(folder: Path) -> None:
    bases = Bases([folder / "base.pemn", WHOLE])
    assert bases.find(DIGEST).digest == DIGEST
    bases.close()
    Bases().close()
    assert decoder_of(WHOLE).manifest.base is None
    with pytest.raises(PemnError):
        bases.find(sha256(b""))
