"""An installation without compiled loops says so once, when it matters, with the remedy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import pemncodec

# As of an installation whose loops were not built.
WITHOUT = """
import sys
sys.modules["pemncodec.common._kernels"] = None
"""
REMEDY = "install a C compiler, then 'pip install --force-reinstall --no-deps pemncodec'"


def run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", WITHOUT + code]
    return subprocess.run(
        program, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("missing")
    for name, count in (("small", 1 << 10), ("large", 1 << 23)):
        pemncodec.save_file({"a": torch.zeros(count), "b": torch.zeros(3)}, made / f"{name}.pemn")
    return made


def test_the_command_says_it_in_one_line(folder: Path) -> None:
    command = "from pemncodec.cli.main import main\nsys.argv = ['pemn', 'verify', '{}']\nmain()"
    done = run(command.format("large.pemn"), folder)
    assert done.returncode == 0
    assert done.stderr.startswith("pemn: note: the compiled loops of pemncodec are not installed")
    assert done.stderr.count("\n") == 1
    assert REMEDY in done.stderr
    assert run(command.format("small.pemn"), folder).stderr == ""
    assert run(command.format("large.pemn"), folder, PEMNCODEC_KERNELS="0").stderr == ""


def test_python_warns_once(folder: Path) -> None:
    code = "import pemncodec, warnings\nwarnings.simplefilter('always')\n"
    code += "for _ in range(3): pemncodec.load_file('large.pemn', threads=1)\n"
    done = run(code, folder)
    assert done.stderr.count("PerformanceWarning") == 1
    assert REMEDY in done.stderr


def test_nothing_is_said_with_the_loops(folder: Path) -> None:
    from pemncodec.common import kernels

    if kernels.compiled is None:
        pytest.skip("the compiled loops are not built here")
    pemncodec.load_file(folder / "large.pemn")  # warnings are errors
