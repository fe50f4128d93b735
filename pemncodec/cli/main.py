"""`pemn`: its commands, and the one place where an error becomes a line and an exit status."""

from __future__ import annotations

import gc
import os
import signal
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import PemnError
from ..errors.quoting import LINE, one_line
from . import show

COMMANDS = ("pack", "unpack", "inspect", "view", "verify", "diff", "merge")
# Objects between collections of garbage: of 100,000 tensors nothing is garbage, and by default they are searched again
# and again (a fifth of the time).
_GC = 200_000, 20, 100


class _Lazy(click.Group):
    """Imports a command when it is used: `inspect` must not wait for torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pemn")
def cli() -> None:
    """Compact, exact files for networks of random weights and trained masks, and for pruned networks.

    \b
    pemn pack model.pt --keep 0.5      model.pt  ->  model.pemn
    pemn unpack model.pemn             model.pemn  ->  model.pt
    """


def main() -> None:
    """Run `pemn`; a PemnError is one line on standard error and exit status 1."""
    _open_closed_streams()
    gc.set_threshold(*_GC)
    warnings.showwarning = _show_warning
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, _stop)  # so that temporary files are removed
    try:
        status = cli.main(prog_name="pemn", standalone_mode=False)  # not 0 only for `diff`
        with show.standard_output():
            sys.stdout.flush()
        sys.exit(status)
    except click.exceptions.Exit as reason:
        sys.exit(reason.exit_code)
    except click.ClickException as reason:
        vars(reason)["message"] = one_line(reason.message)  # it may quote a name of any length
        with suppress(OSError):
            reason.show()
        sys.exit(reason.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except PemnError as reason:
        _fail(str(reason), _failed())
    except MemoryError:
        _fail("this machine has not enough memory", _failed())
    except show.StandardOutputError as wrapped:
        _give_up_output(wrapped.reason)
    except OSError as reason:
        if reason.filename is None:  # of click itself, which prints the help
            _give_up_output(reason)
        _fail(f"{os.fsdecode(reason.filename)}: {reason.strerror}", _failed())


def _failed() -> int:
    """The exit status of an error: of `diff` 1 says that the files differ, as in POSIX."""
    return 2 if sys.argv[1:2] == ["diff"] else 1


def _open_closed_streams() -> None:
    """Let standard streams that were closed lead nowhere: the next file that is opened would get their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def _give_up_output(reason: OSError) -> NoReturn:
    """End after standard output failed: what is left in its buffer would fail again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(reason, BrokenPipeError):  # `pemn inspect … | head`
        sys.exit(1)
    _fail(f"standard output cannot be written: {reason.strerror}")


def _stop(number: int, frame: object) -> None:  # noqa: ARG001
    sys.exit(128 + number)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    with suppress(OSError):
        click.echo("pemn: note: " + one_line(str(message), LINE), err=True)


def _fail(message: str, status: int = 1) -> NoReturn:
    with suppress(OSError):
        click.echo("pemn: " + one_line(message, LINE - len("pemn: ")), err=True)
    sys.exit(status)
