"""The C file by itself: under the sanitizers, and compiled for Arm and run by an emulator, if these are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("products_check.c")


def run(compiler: str, flags: list[str], folder: Path, runner: list[str]) -> str:
    program = folder / "check"
    command = [
        compiler,
        "-Wall",
        "-Wextra",
        "-Werror",
        "-ffp-contract=off",
        *flags,
        str(SOURCE),
        "-o",
        str(program),
        "-lm",
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    done = subprocess.run([*runner, str(program)], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_under_the_sanitizers(tmp_path: Path) -> None:
    """No access outside of a buffer, nothing undefined, and sums within rounding, in every instruction set here."""
    compiler = shutil.which(os.environ.get("CC", "cc").split()[0])
    if compiler is None:
        pytest.skip("there is no C compiler")
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    if subprocess.run(
        [compiler, *flags, str(probe), "-o", str(tmp_path / "probe")], check=False, capture_output=True
    ).returncode:
        pytest.skip(f"{compiler} has no sanitizers")
    assert ", 0 wrong" in run(compiler, ["-O1", "-g", *flags], tmp_path, [])


@pytest.mark.slow
def test_on_arm(tmp_path: Path) -> None:
    compiler, emulator = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
    if compiler is None or emulator is None:
        pytest.skip(
            "aarch64-linux-gnu-gcc and qemu-aarch64 are not installed (Debian: gcc-aarch64-linux-gnu, qemu-user)"
        )
    assert run(compiler, ["-O2", "-static"], tmp_path, [emulator]).startswith("neon: ")
