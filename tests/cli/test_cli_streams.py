"""The streams of `pemn`: closed and full ones, pipes, hostile names, odd inputs and outputs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import pemncodec

COMMANDS = {
    "inspect": "inspect m.pemn",
    "inspect --json": "inspect m.pemn --json",
    "verify": "verify m.pemn",
    "pack": "pack m.pt -o new.pemn",
    "unpack": "unpack m.pemn new.pt",
    "help": "--help",
}
HOSTILE = "a\x1b[31m\x9b2Jb\u202egnp\u2066c\x7f\u2028d\U000e0041e\u200f"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = {"w": torch.randn(30, 40) * (torch.rand(30, 40) > 0.5)}
    torch.save(made, tmp_path / "m.pt")
    pemncodec.save_file(made, tmp_path / "m.pemn")
    return tmp_path


def shell(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    script = f"set -o pipefail; {sys.executable} -m pemncodec {command}"
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        timeout=120,
    )


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_lead_nowhere(folder: Path, streams: str) -> None:
    """As with git: what is written to them is lost, and the exit status says how it went."""
    for name, command in COMMANDS.items():
        result = shell(folder, f"{command} {streams}")
        assert (result.returncode, result.stderr) == (0, ""), name
        assert (result.stdout == "") == (">&-" in streams.split()), name
    assert pemncodec.load_file(folder / "new.pemn").keys() == {"w"}, "no text was written into the file"
    assert torch.load(folder / "new.pt").keys() == {"w"}
    failed = shell(folder, f"inspect none.pemn {streams}")
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert failed.stderr.count("\n") == (streams == ">&-")


@pytest.mark.parametrize("name", ["inspect", "help"])
def test_a_reader_that_is_gone_and_a_full_disk(folder: Path, name: str) -> None:
    gone = shell(folder, f"{COMMANDS[name]} | true")
    assert gone.stderr == ""
    full = shell(folder, f"{COMMANDS[name]} > /dev/full")
    assert (full.returncode, full.stderr) == (
        1,
        "pemn: standard output cannot be written: No space left on device\n",
    )
    assert shell(folder, "inspect none.pemn 2> /dev/full").returncode == 1


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_json_is_printable_and_the_same_strings(tmp_path: Path, encoding: str) -> None:
    state = {f"{HOSTILE}.weight": torch.rand(2), "größe.層": torch.rand(3)}
    pemncodec.save_file(state, tmp_path / "a.pemn", metadata={HOSTILE: HOSTILE * 2, "ß": '"\\\n'})
    command = [sys.executable, "-m", "pemncodec", "inspect", "a.pemn", "--json"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    raw = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, env=environment).stdout
    text = raw.decode()
    assert text.removesuffix("\n").isprintable()
    shown = json.loads(text)
    assert [tensor["name"] for tensor in shown["tensors"]] == list(state)
    assert shown["metadata"][HOSTILE] == HOSTILE * 2
    assert shown["metadata"]["ß"] == '"\\\n'


def test_json_of_what_no_encoding_has() -> None:
    from pemncodec.cli import show

    text = show.json_text({"a\ud800b": ["\udfff", "\U0001f600", "\x00"]})
    assert text.encode()
    assert json.loads(text) == {"a\ud800b": ["\udfff", "\U0001f600", "\x00"]}


def test_no_line_has_a_whole_long_name(tmp_path: Path) -> None:
    name = f"begin{'n' * 1000}end"
    pemncodec.save_file({name: torch.rand(2), "tied": torch.rand(3)}, tmp_path / "a.pemn", metadata={"k": "v" * 9_000})
    result = shell(tmp_path, "inspect a.pemn")
    assert result.returncode == 0
    assert max(map(len, result.stdout.splitlines())) <= 2000
    assert re.search(r"^beginn+…n+end  float32  2  not masked$", result.stdout, re.MULTILINE)
    assert name in shell(tmp_path, "inspect a.pemn --json").stdout


@pytest.mark.parametrize(
    ("command", "phrase"),
    [
        ("inspect {long}/m.pemn", "/m.pemn cannot be read: No such file or directory"),
        ("verify m.pemn --against {long}/m.pt", "m.pt does not exist"),
        ("unpack m.pemn x.pt --task {long}", "in the file; it has none"),
        ("unpack m.pemn {long}/x.pt", "cannot be written: No such file or directory"),
        ("unpack m.pemn " + "x" * 300, "cannot be written: File name too long"),
        ("pack m.pt --keep {long}", "is neither K nor PATTERN=K"),
        ("pack m.pt -o {long} {long}", "name the output once"),
        ("inspect m.pemn {long}", "Got unexpected extra argument"),
    ],
)
def test_every_error_fits_a_line(folder: Path, command: str, phrase: str) -> None:
    result = shell(folder, command.format(long="/".join(["l" * 100] * 20)))
    assert result.returncode in (1, 2)
    last = result.stderr.splitlines()[-1]
    assert phrase in last
    assert len(last) <= 240
    if result.returncode == 1:
        assert result.stderr.count("\n") == 1
        assert len(last) <= 200
    assert result.stdout == ""


def test_names_of_files_cannot_steer_the_terminal(folder: Path) -> None:
    name = "m\x1b]0;owned\x07\udcff.pemn"
    (folder / name).write_bytes((folder / "m.pemn").read_bytes()[:-1])
    arguments = (["inspect", name], ["pack", "m.pt", "a.pemn", name], ["unpack", name], ["verify", "m.pemn", name])
    for command in arguments:
        result = subprocess.run(
            [sys.executable, "-m", "pemncodec", *command], cwd=folder, capture_output=True, check=False
        )
        assert result.returncode in (1, 2)
        assert b"\\x1b]0;owned\\x07" in result.stderr
        assert not {b"\x1b", b"\x07"} & {bytes([byte]) for byte in result.stderr}


# --- odd inputs and outputs -------------------------------------------------------------------------------------------


def one_line(result: subprocess.CompletedProcess[str], phrase: str) -> None:
    assert result.returncode == 1, result.stdout
    assert phrase in result.stderr
    assert result.stderr.startswith("pemn: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["inspect /dev/stdin", "verify /dev/stdin", "unpack /dev/stdin x.pt"])
def test_a_piped_file_is_refused(folder: Path, command: str) -> None:
    piped = subprocess.run(
        ["bash", "-c", f"cat m.pemn | {sys.executable} -m pemncodec {command}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    one_line(piped, "/dev/stdin cannot be read: a pipe or device has no positions to read at; save it to a file first")
    assert shell(folder, f"{command} < m.pemn").returncode == 0, "a file is no pipe, also as standard input"


def test_a_piped_checkpoint_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe")  # nobody writes into it
    for command in ("pack pipe", "pack /dev/null x.pemn", "pack --task a=pipe -o x.pemn"):
        one_line(shell(folder, command), "a pipe or device has no positions to read at; save it to a file first")
    piped = shell(folder, "pack /dev/stdin x.pemn < <(cat m.pt)")
    one_line(piped, "/dev/stdin cannot be read: a pipe or device")
    one_line(shell(folder, "verify m.pemn --against pipe"), "pipe cannot be read: a pipe or device")
    assert shell(folder, "pack /dev/stdin x.pemn < m.pt").returncode == 0


@pytest.mark.parametrize("command", ["pack m.pt -o {}", "unpack m.pemn -o {}"])
def test_outputs_that_are_no_files(folder: Path, command: str) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "sub").mkdir()
    (folder / "dangling").symlink_to("new")
    (folder / "loop").symlink_to("loop")
    before = {path.name for path in folder.iterdir()}
    for place in ("/dev/stdout", "pipe", "sub"):
        one_line(shell(folder, command.format(place) + " --force"), "is not a regular file and cannot be replaced")
    for place in ("/dev/null", "."):
        one_line(shell(folder, command.format(place)), "already exists")
    for place in ("none/x.pt", "/proc/x.pt", "loop"):
        one_line(shell(folder, command.format(place) + " --force"), "cannot be written: ")
    one_line(shell(folder, command.format("dangling")), "dangling already exists")
    assert {path.name for path in folder.iterdir()} == before
    assert shell(folder, command.format("dangling") + " --force").returncode == 0
    assert (folder / "new").is_file()
    assert (folder / "dangling").is_symlink()


def test_standard_input_and_output(folder: Path) -> None:
    """`-` in each command; the bytes are those of the file, and what is said goes nowhere near them."""
    assert shell(folder, "pack m.pt - > a.pemn").returncode == 0
    assert (folder / "a.pemn").read_bytes() == (folder / "m.pemn").read_bytes()
    assert shell(folder, "pack - b.pemn < m.pt").returncode == 0
    assert (folder / "b.pemn").read_bytes() == (folder / "m.pemn").read_bytes()
    assert shell(folder, "inspect - < m.pemn").stdout.startswith("standard input: .pemn 1.")
    assert "standard input: every checksum matches" in shell(folder, "verify - < m.pemn").stdout
    assert shell(folder, "unpack - - < m.pemn > o.pt").stderr == ""
    assert torch.equal(torch.load(folder / "o.pt")["w"], torch.load(folder / "m.pt")["w"])
    assert shell(folder, "unpack - --layout original - < m.pemn > p.pt").returncode == 0
    assert torch.load(folder / "p.pt").keys() == {"w"}
    for command in ("unpack - < m.pemn", "pack - < m.pt"):
        assert "name the output, or - for standard output" in shell(folder, command).stderr
    cut = shell(folder, "inspect - < m.pt")
    assert (cut.returncode, cut.stdout) == (1, "")
    assert "Traceback" not in cut.stderr


def test_urls(folder: Path) -> None:
    url = f"file://{folder}/m.pemn"
    assert shell(folder, f"inspect {url}").stdout.startswith(f"{url}: .pemn 1.")
    assert shell(folder, f"verify {url}").returncode == 0
    assert shell(folder, f"pack m.pt file://{folder}/u.pemn").returncode == 0
    assert (folder / "u.pemn").read_bytes() == (folder / "m.pemn").read_bytes()
    again = shell(folder, f"pack m.pt file://{folder}/u.pemn")
    assert "already exists" in again.stderr
    assert shell(folder, f"unpack file://{folder}/u.pemn").returncode == 0
    assert torch.load(folder / "u.pt").keys() == {"w"}
