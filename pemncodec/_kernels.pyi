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

def mt19937(state: Buffer, out: Buffer, /) -> None:
    """The next draws of MT19937, a multiple of 624 (uint32); `state`, 624 words, goes on."""

def pytorch_normal(out: Buffer, draws: Buffer, scale: float, dialect: int, /) -> None:
    """Normal numbers (float32) of whole blocks of sixteen draws (uint32), times the scale.

    By polynomials, fused (0, spec 8.8) or not (1, spec 8.9), or by the C library's functions (2).
    """

def pytorch_uniform(out: Buffer, draws: Buffer, scale: float, low: float, fused: bool, /) -> None:
    """low + draw × scale, rounded once or twice."""
