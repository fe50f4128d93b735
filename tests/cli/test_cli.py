"""The command `pemn`, run as a user runs it: what it prints, and what bad input does."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import pemncodec

from .. import published


def pemn(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pemncodec", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def fails(result: subprocess.CompletedProcess[str], phrase: str) -> None:
    """One line on standard error that has the phrase, exit status 1, nothing on standard output."""
    assert phrase in result.stderr, result.stderr
    assert result.stderr.startswith("pemn: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert result.returncode == 1
    assert result.stdout == ""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.save(published.checkpoint("random-vector-copy"), tmp_path / "model.pt")
    return tmp_path


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "model.pemn"
    pemncodec.save_file(published.checkpoint("random-vector-copy"), path, keep=0.5)
    return path


def test_pack_inspect_unpack_verify(folder: Path) -> None:
    result = pemn("pack", "model.pt", "--keep", "0.5", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    size = (folder / "model.pemn").stat().st_size
    for phrase in (
        "model.pt: edge-popup, 6 masked layers of 2,240 weights",
        "mask rule: edge-popup, keep 0.5 of every layer",
        "found: random-vector padding: 39 values, tiled over 6 layers",
        "left out: *.scores",
        f"model.pemn: {size:,} B",
        "masks             280 B",
        "bits per masked weight",
        "verified: every tensor (31) decodes bit for bit",
    ):
        assert phrase in result.stdout
    shown = pemn("inspect", "model.pemn", cwd=folder)
    assert shown.returncode == 0
    assert "3.1.weight" in shown.stdout
    assert "16×16×1×1" in shown.stdout
    assert pemn("unpack", "model.pemn", "out.pt", cwd=folder).returncode == 0
    assert pemn("unpack", "model.pemn", "-o", "out.safetensors", cwd=folder).returncode == 0
    expected = published.effective(torch.load(folder / "model.pt"), 0.5)
    published.assert_equal(torch.load(folder / "out.pt", weights_only=True), expected)
    loaded = pemncodec.load_checkpoint(folder / "out.safetensors")
    assert {k: published.bits(v) for k, v in loaded.items()} == {k: published.bits(v) for k, v in expected.items()}
    verified = pemn("verify", "model.pemn", "--against", "model.pt", cwd=folder)
    assert verified.stdout.count("\n") == 3
    assert "every tensor (31) is the same, bit for bit" in verified.stdout
    dense = pemn("verify", "model.pemn", "--against", "out.pt", cwd=folder)
    assert "out.pt: every tensor (31) is the same, bit for bit" in dense.stdout


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_unpack_layouts(folder: Path, packed: Path) -> None:
    for layout in ("masked", "csr", "coo"):
        assert pemn("unpack", packed, f"{layout}.pt", "--layout", layout, cwd=folder).returncode == 0
    assert list(torch.load(folder / "masked.pt")) == list(torch.load(folder / "model.pt"))
    assert torch.load(folder / "csr.pt")["9.weight"].layout == torch.sparse_csr
    fails(pemn("unpack", packed, "s.safetensors", "--layout", "coo", cwd=folder), "safetensors has no sparse tensors")


def test_quiet_is_quiet_and_pipes_have_no_progress(folder: Path) -> None:
    for arguments in (
        ("pack", "model.pt", "--keep", ".5"),
        ("unpack", "model.pemn", "x.pt"),
        ("verify", "model.pemn", "--against", "model.pt"),
    ):
        result = pemn(*arguments, "--quiet", cwd=folder)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_terminal_shows_progress(folder: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pemncodec", "pack", "model.pt", "--keep", "0.5"]
    result = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=follower, check=True)
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    assert "packing" in shown
    assert "100%" in shown
    assert b"\r" not in result.stdout


def test_inspect_json_is_complete(packed: Path) -> None:
    shown = json.loads(pemn("inspect", packed, "--json", cwd=packed.parent).stdout)
    assert shown["sizes"]["total"] == packed.stat().st_size
    assert (
        sum(shown["sizes"][part] for part in ("masks", "prototypes", "kept", "tensors", "rest"))
        == packed.stat().st_size
    )
    coder = shown["prototypes"][0].pop("block_coder")
    assert coder in shown["coders"]["blocks"]
    assert shown["prototypes"] == [{"dtype": "float32", "length": 39, "kind": "values", "stored": 39}]
    first = shown["tensors"][0]
    assert (first["name"], first["kind"], first["shape"], first["kept"]) == ("0.weight", "tiled", [16, 3, 4, 4], 384)
    assert shown["metadata"]["pemn.keep"] == "0.5"


def test_an_existing_output_is_refused_and_kept(folder: Path, packed: Path) -> None:
    (folder / "model.pemn").write_text("precious")
    fails(pemn("pack", "model.pt", "--keep", "0.5", cwd=folder), "model.pemn already exists")
    fails(pemn("unpack", packed, "model.pt", cwd=folder), "already exists: name another output, or use")
    assert (folder / "model.pemn").read_text() == "precious"
    assert pemn("pack", "model.pt", "--keep", "0.5", "--force", cwd=folder).returncode == 0
    assert (folder / "model.pemn").read_bytes() == packed.read_bytes()


def test_verify_tells_another_network(folder: Path, packed: Path) -> None:
    fails(pemn("verify", packed, "--against", "model.pt", "--keep", "0.4", cwd=folder), "differ from the checkpoint")
    other = published.checkpoint("random-vector-copy")
    other["0.norm.bias"][3] = -other["0.norm.bias"][3]
    torch.save(other, folder / "other.pt")
    fails(pemn("verify", packed, "--against", "other.pt", cwd=folder), "1 elements of '0.norm.bias' differ from")
    del other["0.norm.bias"]
    torch.save(other, folder / "other.pt")
    fails(pemn("verify", packed, "--against", "other.pt", cwd=folder), "1 are not in the checkpoint")


BAD_CHECKPOINTS = {
    "scores without keep": ([], None, "use --keep (0.5 in PEMN's code"),
    "keep zero": (["--keep", "0"], None, "keep is 0.0, and must be above 0 and at most 1"),
    "keep above one": (["--keep", "1.5"], None, "keep is 1.5"),
    "lfs pointer": (
        ["--keep", "0.5"],
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
        "Git LFS pointer",
    ),
    "html": (["--keep", "0.5"], b"<!doctype html><title>Sign in</title>", "web page"),
    "empty": (["--keep", "0.5"], b"", "is empty"),
    "not a checkpoint": (["--keep", "0.5"], b"\x93NUMPZ", "neither a torch.save file nor safetensors"),
}


@pytest.mark.parametrize("case", list(BAD_CHECKPOINTS))
def test_bad_checkpoints(folder: Path, case: str) -> None:
    options, content, phrase = BAD_CHECKPOINTS[case]
    if content is not None:
        (folder / "model.pt").write_bytes(content)
    before = sorted(folder.iterdir())
    fails(pemn("pack", "model.pt", *options, cwd=folder), phrase)
    assert sorted(folder.iterdir()) == before


def test_truncated_unsafe_and_missing_checkpoints(folder: Path) -> None:
    raw = (folder / "model.pt").read_bytes()
    (folder / "cut.pt").write_bytes(raw[: len(raw) // 2])
    torch.save({"args": Path("x"), "w": torch.rand(2)}, folder / "unsafe.pt")
    torch.save({"w": torch.empty(2, dtype=torch.complex64).to("meta")}, folder / "meta.pt")
    before = sorted(folder.iterdir())
    fails(pemn("pack", "cut.pt", "--keep", "0.5", cwd=folder), "cut.pt is damaged or incomplete")
    fails(pemn("pack", "unsafe.pt", cwd=folder), "reading it would run code from the file")
    fails(pemn("pack", "meta.pt", cwd=folder), "is on the meta device and has no values")
    fails(pemn("pack", "none.pt", cwd=folder), "none.pt does not exist")
    fails(pemn("pack", ".", "x.pemn", cwd=folder), "not a folder of a known family")
    fails(pemn("pack", ".", cwd=folder), "not a folder of a known family")
    assert sorted(folder.iterdir()) == before
    assert pemn("pack", "unsafe.pt", "--unsafe-pickle", cwd=folder).returncode == 0


def damaged(raw: bytes) -> dict[str, tuple[bytes, str]]:
    return {
        "empty": (b"", "ends after 0 bytes"),
        "truncated": (raw[:-1], f"ends after {len(raw) - 1} of {len(raw)} bytes: fetch it again"),
        "trailing": (raw + b"\n", "1 bytes follow the end"),
        "changed header": (raw[:20] + b"\xff" + raw[21:], "the header is damaged"),
        "changed manifest": (raw[:60] + bytes([raw[60] ^ 1]) + raw[61:], "the manifest is damaged"),
        "version": (raw[:8] + b"\x07" + raw[9:], f"has format version 7.{raw[9]}; this pemncodec reads 1.0 to 1.6"),
        "something else": (b"PK\x03\x04" + raw, "not a .pemn file"),
    }


@pytest.mark.parametrize("case", list(damaged(b"0" * 100)))
@pytest.mark.parametrize("command", ["inspect", "unpack", "verify"])
def test_damaged_files(tmp_path: Path, packed: Path, case: str, command: str) -> None:
    content, phrase = damaged(packed.read_bytes())[case]
    (tmp_path / "bad.pemn").write_bytes(content)
    fails(pemn(command, "bad.pemn", cwd=tmp_path), phrase)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pemn"]


def test_damaged_payload_is_seen_by_whoever_reads_it(tmp_path: Path, packed: Path) -> None:
    raw = packed.read_bytes()
    (tmp_path / "bad.pemn").write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    for command in ("unpack", "verify"):
        fails(pemn(command, "bad.pemn", cwd=tmp_path), "the file is damaged between byte")
    assert pemn("inspect", "bad.pemn", cwd=tmp_path).returncode == 0, "inspect reads the manifest only"


def test_limits_and_other_wishes(tmp_path: Path, packed: Path) -> None:
    fails(
        pemn("unpack", packed, "x.pt", "--max-bytes", "1000", cwd=tmp_path),
        "max_bytes allows 1000: raise it if you trust",
    )
    fails(pemn("unpack", packed, "x.pt", "--task", "a", cwd=tmp_path), "no task 'a' in the file")
    fails(pemn("unpack", "none.pemn", cwd=tmp_path), "none.pemn cannot be read: No such file or directory")
    fails(pemn("unpack", packed, "no/such/folder/x.pt", cwd=tmp_path), "cannot be written: No such file or directory")
    assert list(tmp_path.iterdir()) == []
    usage = pemn("pack", cwd=tmp_path)
    assert usage.returncode == 2
    assert "Usage: pemn pack" in usage.stderr


def test_a_closed_pipe_is_no_traceback(packed: Path) -> None:
    script = f"{sys.executable} -m pemncodec inspect {packed} | true"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert "Traceback" not in result.stderr


def test_the_input_is_never_the_output(folder: Path, packed: Path) -> None:
    before = (folder / "model.pt").read_bytes()
    same = pemn("pack", "model.pt", "./model.pt", "--keep", "0.5", "--force", cwd=folder)
    fails(same, "is the input itself: name another output")
    assert (folder / "model.pt").read_bytes() == before
    fails(pemn("unpack", packed, packed, "--force", cwd=folder), "is the input itself")


def test_only_known_suffixes_are_replaced(folder: Path) -> None:
    for name in ("run.epoch1", "run.epoch2", "a.ckpt"):
        (folder / name).write_bytes((folder / "model.pt").read_bytes())
        assert pemn("pack", name, "--keep", "0.5", "-q", cwd=folder).returncode == 0
    assert {"run.epoch1.pemn", "run.epoch2.pemn", "a.pemn"} <= {path.name for path in folder.iterdir()}


def test_the_key_of_the_network(folder: Path) -> None:
    torch.save({"net": torch.load(folder / "model.pt"), "loss": torch.tensor(1.0)}, folder / "other.pt")
    fails(pemn("pack", "other.pt", "--keep", "0.5", cwd=folder), "other.pt: the checkpoint holds tensors under 'net'")
    assert pemn("pack", "other.pt", "--keep", "0.5", "--key", "net", cwd=folder).returncode == 0
    verified = pemn("verify", "other.pemn", "--against", "other.pt", "--key", "net", cwd=folder)
    assert "is the same, bit for bit" in verified.stdout


def test_minus_zeros_are_not_called_the_same(folder: Path) -> None:
    weight = torch.randn(40, 50, generator=torch.Generator().manual_seed(0))
    torch.save({"weight": weight * (weight.abs() > 1.5)}, folder / "pruned.pt")
    negative = int(((weight < 0) & (weight >= -1.5)).sum())
    told = f"bit for bit ({negative} zeros of pruned weights without their minus sign)"
    assert told in pemn("pack", "pruned.pt", cwd=folder).stdout
    assert told in pemn("verify", "pruned.pemn", "--against", "pruned.pt", cwd=folder).stdout


def test_options_without_effect_are_refused(packed: Path) -> None:
    for option in (("--keep", "0.5"), ("--task", "a"), ("--key", "x")):
        result = pemn("verify", packed, *option, cwd=packed.parent)
        assert result.returncode == 2
        assert "require --against" in result.stderr


def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    state = {"a\x1b]0;owned\x07\x1b[2J.weight": torch.rand(2), "line\nbreak": torch.rand(2)}
    pemncodec.save_file(state, tmp_path / "a.pemn", metadata={"t": "a\n\x1b[31mRED"})
    shown = pemn("inspect", "a.pemn", cwd=tmp_path)
    assert shown.returncode == 0
    assert "\x1b" not in shown.stdout
    assert "\\x1b[2J.weight" in shown.stdout
    assert "line\\nbreak" in shown.stdout
    assert json.loads(pemn("inspect", "a.pemn", "--json", cwd=tmp_path).stdout)["metadata"]["t"] == "a\n\x1b[31mRED"


def test_a_full_standard_output_is_one_line(packed: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full to write to")
    script = f"{sys.executable} -m pemncodec inspect {packed} > /dev/full"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "pemn: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """The signal comes while the output is being written."""
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # shells let what runs in the background ignore it
        "from pemncodec.container.writer import EncodedFile\n"
        "from pemncodec.cli import main\n"
        "def interrupted(encoded, path):\n"
        "    path.write_bytes(encoded.to_bytes()[:100])\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "EncodedFile.write = interrupted\n"
        "sys.argv = ['pemn', 'pack', 'm.pt', '-q']\n"
        "main.main()\n"
    )
    torch.save({"w": torch.rand(3000)}, tmp_path / "m.pt")
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 128 + number
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["m.pt"]


def test_errors_name_the_file(tmp_path: Path, packed: Path) -> None:
    (tmp_path / "cut.pemn").write_bytes(packed.read_bytes()[:-1])
    (tmp_path / "page.pemn").write_bytes(b"<html>not found</html>")
    (tmp_path / "pointer.pemn").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    for command in ("inspect", "verify", "unpack"):
        fails(pemn(command, "cut.pemn", cwd=tmp_path), "pemn: cut.pemn: the file ends after")
        fails(pemn(command, "page.pemn", cwd=tmp_path), "page.pemn: not a .pemn file: it is a web page")
        fails(pemn(command, "pointer.pemn", cwd=tmp_path), "pointer.pemn: not a .pemn file: it is a Git LFS pointer")
