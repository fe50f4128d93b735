"""The compiled loops (`_kernels.c`); `kernels.py` imports them where they were built.

A buffer is contiguous, and holds elements as they are named below in the machine's byte order, or their bytes; it may
lie at any address. What is written shares no byte with another argument. A call with anything else changes nothing
outside of its buffers, and raises:

    TypeError: an argument is no buffer or no number.
    BufferError, ValueError: a buffer has gaps, or cannot be written; which of them is up to the buffer.
    ValueError: items of another type, a length or a number that does not fit the others, buffers that overlap.
    OverflowError: an integer is beyond the machine's.

The interpreter's lock is released; other threads that write to the same buffers spoil the result, and no more.
"""

from typing_extensions import Buffer

def decode_rans(states: Buffer, words: Buffer, frequencies: Buffer, out: Buffer, /) -> int:
    """Words used, or −1 if there were too few.

    `states` (uint32) become the last ones; `words` are uint16, `out` uint8, and `frequencies` 256 of uint32, each at
    least 1, that add up to 2^16.
    """

def encode_rans(content: Buffer, frequencies: Buffer, states: Buffer, words: Buffer, /) -> int:
    """Words written, from the end of `words` (uint16, one a byte of content or more) towards its beginning."""

def fill(
    out: Buffer,
    packed: Buffer,
    width: int,
    zero: int,
    values: Buffer,
    period: int,
    phase: int,
    others: Buffer,
    other_period: int,
    other_phase: int,
    /,
) -> None:
    """A tiled layer; `values` are one period and, where a layer goes on beyond it, at least eight more elements.

    Elements are any numbers of `width` bytes: 1, 2, 4 or 8. A zero bit stands for zero (`zero` is 0), for the negated
    value (1) or for that of `others` (2). Where too little follows a period, `out` may have been written in part.
    """

def scatter(out: Buffer, packed: Buffer, width: int, kept: Buffer, /) -> int:
    """Kept values used, or −1 if there were too few; elements as of `fill`."""

def join_planes(out: Buffer, planes: Buffer, width: int, rotated: bool, /) -> None:
    """Elements of `width` bytes (2, 4 or 8), unsigned, from their bytes, the lowest of all elements first.

    `rotated`: each element is then rotated right by one bit.
    """

def positions(out: Buffer, packed: Buffer, /) -> bool:
    """Return whether bits in bytes have as many ones as `out` (integers of eight bytes) has room for.

    Their places are in `out` then, in ascending order.
    """

def varints(data: Buffer, start: int, count: int, most: int, /) -> tuple[list[int], int] | None:
    """A column of LEB128 integers from byte `start` on, and where it ends.

    None if one of them is cut off, longer than nine bytes or than needed, or more than `most`.
    """

def mt19937(state: Buffer, out: Buffer, /) -> None:
    """The next draws of MT19937, a multiple of 624 (uint32); `state`, 624 words, goes on."""

def pytorch_normal(out: Buffer, draws: Buffer, scale: float, dialect: int, /) -> None:
    """Normal numbers (float32) of whole blocks of sixteen draws (uint32), times the scale, within float32.

    By polynomials, fused (0, spec 8.8) or not (1, spec 8.9), or by the C library's functions (2).
    """

def pytorch_uniform(out: Buffer, draws: Buffer, scale: float, low: float, fused: bool, /) -> None:
    """low + draw × scale, rounded once or twice; both within float32."""
