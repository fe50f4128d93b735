"""The compiled loops (`_kernels.c`); `kernels.py` imports them where they were built."""

from typing_extensions import Buffer

def decode_rans(states: Buffer, words: Buffer, frequencies: Buffer, out: Buffer, /) -> int:
    """Words used, or −1 if there were too few; `states` are uint32 and become the last ones."""

def encode_rans(content: Buffer, frequencies: Buffer, states: Buffer, words: Buffer, /) -> int:
    """Words written, from the end of `words` (uint16, one a byte of content) towards its beginning."""

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
    """A tiled layer; `values` are one period and, where a layer goes on beyond it, at least eight more elements."""

def scatter(out: Buffer, packed: Buffer, width: int, kept: Buffer, /) -> int:
    """Kept values used, or −1 if there were too few."""
