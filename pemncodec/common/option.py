"""Options as fields of frozen dataclasses: what a command needs to offer one is said beside its default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

KEY = "option"
Kind = Literal["text", "flag", "number", "integer", "count", "file", "several"]


@dataclass(frozen=True, slots=True)
class Option:
    """An option as a command offers it.

    Attributes:
        about: one line of help, which may wrap.
        kind: of its value: a text, a flag without a value, a number, an integer, an integer above 0, the path of a
            file, or texts, one each time that the option is given.
        metavar: stands for the value in the help.
        choices: the texts that are allowed; empty for any.
        flag: without dashes, if it is not the name of the field.
    """

    about: str
    kind: Kind = "text"
    metavar: str | None = None
    choices: Sequence[str] = ()
    flag: str | None = None


def option(default: Any, about: str, kind: Kind = "text", *, shown: bool = True, **more: Any) -> Any:
    """Return the field of a dataclass with this default, which a command can offer.

    Args:
        shown: whether the field is in the representation of the class.
        more: other attributes of `Option`.
    """
    return field(default=default, repr=shown, metadata={KEY: Option(about, kind, **more)})
