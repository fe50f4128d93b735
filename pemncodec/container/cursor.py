"""Reading and writing the primitive fields of spec section 1, with the name of the field in every error."""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Sequence

from ..common import kernels
from ..common.allowance import Allowance
from ..errors import FormatError, ManifestError
from ..errors.quoting import quoted

MAX_VARINT_BYTES = 9
_MOST = (1 << 63) - 1  # of so many bytes
_LONGER = re.compile(rb"[\x80-\xff]")  # the first byte of an integer of several
_SINGLE = [bytes([value]) for value in range(0x80)]

Payload = bytes | memoryview

# Bytes that Python takes, about: for a place in a list, an integer of more than seven bits, an empty string.
POINTER, INTEGER, STRING = 8, 32, 80


class Cursor:
    """Reads fields from `data`, from front to back.

    Args:
        data: the bytes to read.
        error: raised for a field that is cut off or malformed.
        memory: what the values that are read may take; without it as much as they need.
    """

    def __init__(
        self, data: Payload, error: type[FormatError] = ManifestError, memory: Allowance | None = None
    ) -> None:
        self._data = memoryview(data)
        self._error = error
        self._memory = memory
        self.position = 0

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self.position

    def fail(self, message: str) -> FormatError:
        """The error for a broken rule; raise what is returned."""
        return self._error(message)

    def ahead(self) -> Cursor:
        """Another cursor at the same place, for a look at what is read later: it counts no memory."""
        return Cursor(self._data[self.position :], self._error)

    def spend(self, count: int) -> None:
        """Count memory that is taken for what was read.

        Raises:
            LimitError: more than is allowed.
        """
        if self._memory is not None:
            self._memory.take(count)

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes."""
        if count > self.remaining:
            raise self.fail(f"{what} needs {count} bytes, but {self.remaining} are left")
        start = self.position
        self.position += count
        return bytes(self._data[start : self.position])

    def fixed(self, size: int, what: str) -> int:
        """An unsigned little-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size, what), "little")

    def varint(self, what: str, most: int | None = None) -> int:
        """A minimal LEB128 integer, at most `most`."""
        value = shift = 0
        data, end = self._data, len(self._data)
        while True:
            if self.position == end:
                raise self.fail(f"{what} needs 1 bytes, but 0 are left")
            byte = data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift == 7 * MAX_VARINT_BYTES:
                raise self.fail(f"{what} is an integer of more than {MAX_VARINT_BYTES} bytes")
        if byte == 0 and shift > 7:
            raise self.fail(f"{what} is an integer with needless bytes")
        if most is not None and value > most:
            raise self.fail(f"{what} is {value}, but at most {most} is allowed")
        return value

    def varints(self, count: int, what: str, most: int | None = None) -> list[int]:
        """A column of `count` integers."""
        if count > self.remaining:  # each takes a byte at least: refuse before making a list
            raise self.fail(f"{what}: {count} values announced, but {self.remaining} bytes are left")
        self.spend(POINTER * count)
        start = self.position
        column = self._column(count, what, most)
        self.spend(INTEGER * (self.position - start - count))  # small integers are there already
        return column

    def _column(self, count: int, what: str, most: int | None) -> list[int]:
        if kernels.compiled is not None:
            found = kernels.compiled.varints(self._data, self.position, count, _MOST if most is None else most)
            if found is not None:
                column: list[int]
                column, self.position = found
                return column
        column = []  # one after the other, to say what is wrong
        while len(column) < count:
            if most is None or most > 0x7F:  # most columns are runs of single bytes
                end = self.position + count - len(column)
                longer = _LONGER.search(self._data, self.position, end)
                stop = end if longer is None else longer.start()
                column += self._data[self.position : min(stop, len(self._data))]
                self.position = min(stop, len(self._data))
            if len(column) < count:
                column.append(self.varint(what, most))
        return column

    def words(self, count: int, what: str) -> array[int]:
        """`count` unsigned little-endian integers of four bytes."""
        column = array("I", self.take(4 * count, what))
        if sys.byteorder == "big":
            column.byteswap()
        self.spend(4 * count)
        return column

    def text(self, what: str, most: int | None = None) -> str:
        """A string: length and UTF-8."""
        return self.decoded(self.take(self.varint(f"length of {what}", most), what), what)

    def decoded(self, data: bytes, what: str) -> str:
        """A string of these bytes of UTF-8."""
        self.spend(STRING + len(data) * (1 if data.isascii() else 4))
        return decode_utf8(data, what, self._error)

    def end(self, what: str) -> None:
        """Check that nothing is left."""
        if self.remaining:
            raise self.fail(f"{self.remaining} bytes are left over after {what}")


def decode_utf8(data: bytes, what: str, error: type[FormatError]) -> str:
    """UTF-8, or `error`."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise error(f"{what} is not UTF-8: {quoted(data)}") from None


def varint(value: int) -> bytes:
    """LEB128 of `value`."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varints(values: Sequence[int]) -> bytes:
    """A column of integers."""
    return b"".join([_SINGLE[value] if value < 0x80 else varint(value) for value in values])


def text(value: str) -> bytes:
    """Length and UTF-8."""
    data = value.encode("utf-8")
    return varint(len(data)) + data
