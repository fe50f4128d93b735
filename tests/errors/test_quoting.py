"""Names and bytes from files in messages: escaped, and never longer than a line."""

from __future__ import annotations

import pickle

import pytest

import pemncodec
from pemncodec import errors
from pemncodec.errors.quoting import LINE, one_line, printable, quoted, shortened

HOSTILE = ["\x1b]0;owned\x07", "\x9b31m", "\u202egnp.exe", "\ud800", "a\nb", "\U000e0001" * 90, "\u2028", "\x7f"]


@pytest.mark.parametrize(
    "name", ["", "layer1.0.weight", "it's", 'a "b"', "größe", "層.weight", b"\x93NUMPY", *HOSTILE[:5]]
)
def test_what_is_short_is_as_repr_shows_it(name: str | bytes) -> None:
    assert quoted(name) == repr(name)


@pytest.mark.parametrize("unit", ["a", "ä", "\x9b", "\U000e0001", "'", "\\", "\ud800", b"\xff", b"a"])
@pytest.mark.parametrize("most", [24, 60, 133])
def test_what_is_long_loses_its_middle(unit: str | bytes, most: int) -> None:
    start, stop = (b"<", b">") if isinstance(unit, bytes) else ("<", ">")
    shown = quoted(start + unit * 100_000 + stop, most)  # type: ignore[operator]
    assert most - 25 <= len(shown) <= most
    assert shown.isprintable()
    assert shown.lstrip("b")[1] == "<"
    assert shown[-2] == ">"
    assert "…" in shown or "..." in shown


def test_other_things_are_quoted_as_text() -> None:
    class Rude:
        def __str__(self) -> str:
            raise RuntimeError

    assert quoted(3) == "'3'"
    assert quoted(memoryview(b"ab")) == "b'ab'"
    assert quoted(Rude()) == "'a Rude'"


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_unprintable_is_left(text: str) -> None:
    for made in (printable(text), shortened(text), quoted(text), one_line(text)):
        assert made.isprintable()
    assert len(shortened(text, 40)) <= 40


def test_a_message_keeps_what_is_wrong_and_what_to_do() -> None:
    path = "/data/" + "x" * 4000 + "/model.pemn"
    line = one_line(f"{path}: the file is damaged:\n  fetch it again")
    assert len(line) <= LINE
    assert line.startswith("/data/xxx")
    assert line.endswith("x/model.pemn: the file is damaged: fetch it again")
    assert one_line(line) == line
    many = one_line("begin " + "word " * 1_000_000 + "end")
    assert len(many) <= LINE
    assert many.startswith("begin word")
    assert many.endswith("word end")


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name != "PerformanceWarning"])
def test_every_error_is_one_line(name: str) -> None:
    kind = getattr(pemncodec, name)
    error = kind("first\nsecond " + "\x9b" * 10_000 + " do this")
    assert isinstance(error, pemncodec.PemnError)
    assert str(error).isprintable()
    assert len(str(error)) <= LINE
    assert str(error).endswith(" do this")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert str(kind()) == ""
