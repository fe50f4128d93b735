"""Options of a command, made from the fields of option classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from ..common.option import KEY, Option

F = TypeVar("F", bound=Callable[..., Any])
_TYPES: dict[str, dict[str, Any]] = {
    "text": {},
    "flag": {"is_flag": True},
    "number": {"type": float},
    "integer": {"type": int},
    "count": {"type": click.IntRange(min=1)},
    "file": {"type": click.Path(path_type=Path)},
    "several": {"multiple": True},
}


def options_of(cls: type, *names: str) -> Callable[[F], F]:
    """Return the decorator that gives a command an option for each field of a dataclass that is one.

    Args:
        names: of fields, if not all of them.
    """
    found: dict[str, Option] = {one.name: one.metadata[KEY] for one in fields(cls) if KEY in one.metadata}
    made = [_made(name, found[name]) for name in names or found]

    def decorate(command: F) -> F:
        for one in reversed(made):
            command = one(command)
        return command

    return decorate


def _made(name: str, option: Option) -> Callable[[F], F]:
    flag = (option.flag or name).replace("_", "-")
    more = {"type": click.Choice(option.choices)} if option.choices else _TYPES[option.kind]
    return click.option(f"--{flag}", flag.replace("-", "_"), metavar=option.metavar, help=option.about, **more)
