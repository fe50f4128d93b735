"""The command `pemn` in this process: what it prints, and its exit status."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pemncodec.cli.main import main


@dataclass(frozen=True)
class Result:
    status: int
    stdout: str
    stderr: str


def pemn(*arguments: str | Path, cwd: Path) -> Result:
    """Run it in a folder. An exception that is no exit goes through: a user would see a traceback."""
    stdout, stderr, status = io.StringIO(), io.StringIO(), 0
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        patch.chdir(cwd)
        patch.setattr(sys, "argv", ["pemn", *map(str, arguments)])
        try:
            main()
        except SystemExit as reason:
            status = reason.code if isinstance(reason.code, int) else int(reason.code is not None)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return Result(status, stdout.getvalue(), stderr.getvalue())
