"""Interleaved rANS over bytes with static frequencies (spec section 5.1). Shared by masks and blocks.

Duda, "Asymmetric numeral systems" (arXiv:1311.2540). All lanes take words from one sequence, so that a row of L bytes
is made by a few array operations; a handful of lanes is faster in a loop over Python's integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common import kernels
from ..common.forks import cached_property
from ..errors import PayloadError

Bytes = NDArray[np.uint8]

TOTAL = 1 << 16  # sum of the frequencies, and the least state
MAX_ROWS = 8192  # bytes a lane makes at most
# One lane costs a state of 32 bits, of which 16 carry information: at this many bytes a lane 0.2 % of the payload.
_BYTES_A_LANE = 1000
# Fewer lanes than these decode faster one byte at a time.
_FEW = 32
_HIGH = np.uint64(16)


def lanes_for(count: int, bits: int) -> int:
    """Return the number of lanes that an encoder takes for `count` bytes that cost about so many bits."""
    return max(1, -(-count // MAX_ROWS), min(count, bits // 8 // _BYTES_A_LANE))


class Model:
    """Frequencies, and what follows from them.

    Attributes:
        frequencies: F(0) … F(255), each at least 1, int64, shape (256,).
        starts: C(0) … C(255).
    """

    def __init__(self, frequencies: NDArray[np.int64]) -> None:
        self.frequencies = frequencies
        self.starts = np.cumsum(frequencies) - frequencies

    @cached_property
    def costs(self) -> NDArray[np.int64]:
        """16 − log2 F(v) in units of 2^-8 bits, rounded up; from integers alone, so the same on every machine."""
        return np.array([4097 - (frequency**256).bit_length() for frequency in self.frequencies.tolist()])

    def cost(self, histogram: NDArray[np.int64]) -> int:
        """Bits that bytes of this histogram take, about; it may leave out the last values."""
        return int(histogram @ self.costs[: len(histogram)]) >> 8


@dataclass(frozen=True)
class Stream:
    """A coded string before it is decoded, its sizes checked.

    Attributes:
        states: of the lanes, each at least `TOTAL`, uint32, shape (lanes,).
        words: that the lanes take, uint16.
        count: bytes to decode; 0 or as many as lanes or more, and `MAX_ROWS` a lane at most.
        model: the frequencies.
    """

    states: NDArray[np.uint32]
    words: NDArray[np.uint16]
    count: int
    model: Model


def encode(content: Bytes, model: Model, lanes: int) -> bytes:
    """States and words of `content`, without the number of lanes."""
    states, words = (_encode_rows if kernels.compiled is None else _encode_compiled)(content, model, lanes)
    return states.astype("<u4").tobytes() + words.astype("<u2").tobytes()


def _encode_compiled(
    content: Bytes, model: Model, lanes: int
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.uint16]]:
    assert kernels.compiled is not None
    states, words = np.empty(lanes, dtype=np.uint32), np.empty(len(content), dtype=np.uint16)
    used = kernels.compiled.encode_rans(content, model.frequencies.astype(np.uint32), states, words)
    return states, words[len(words) - used :]


def _encode_rows(content: Bytes, model: Model, lanes: int) -> tuple[NDArray[np.unsignedinteger], NDArray[np.uint16]]:
    """A row of one byte a lane at a time, from the last."""
    count = len(content)
    frequency = model.frequencies.astype(np.uint64)
    start = model.starts.astype(np.uint64)
    states = np.full(lanes, TOTAL, dtype=np.uint64)
    rows: list[NDArray[np.uint16]] = []
    for begin in range((max(count, 1) - 1) // lanes * lanes, -1, -lanes):
        end = min(begin + lanes, count)
        row = content[begin:end]
        f, x = frequency[row], states[: end - begin]
        full = np.flatnonzero(x >= f << _HIGH)
        if len(full):
            rows.append(x[full].astype(np.uint16))  # the low 16 bits
            x[full] >>= _HIGH
        quotient, remainder = np.divmod(x, f)
        states[: end - begin] = (quotient << _HIGH) + remainder + start[row]
    return states, np.concatenate(rows[::-1]) if rows else np.empty(0, dtype=np.uint16)


def stream(payload: memoryview, count: int, model: Model, lanes: int) -> Stream:
    """States and words in `payload`, which holds nothing else.

    Raises:
        PayloadError: their number does not fit `count` bytes, or a state is too small.
    """
    if not 1 <= lanes <= max(count, 1) or count > MAX_ROWS * lanes:
        raise PayloadError(f"{lanes} rANS lanes for {count} bytes: there are 1 to {count}, of {MAX_ROWS} bytes at most")
    if len(payload) < 4 * lanes or len(payload) % 2:
        raise PayloadError(f"{lanes} rANS states and 16-bit words do not fit {len(payload)} bytes")
    states = np.frombuffer(payload[: 4 * lanes], dtype="<u4").astype(np.uint32)
    words = np.frombuffer(payload[4 * lanes :], dtype="<u2").astype(np.uint16, copy=False)
    if int(states.min()) < TOTAL:
        raise PayloadError("a rANS state is below 2^16")
    return Stream(states, words, count, model)


def decode(coded: Stream) -> Bytes:
    """The bytes that states and words give; the states are changed.

    Raises:
        PayloadError: they do not fit.
    """
    content, states, used = _decoded(coded.states, coded.words, coded.count, coded.model)
    _check_end(states, used, len(coded.words))
    return content


class Front:
    """The bytes of a stream from the first to any; decoding goes on where it ended.

    Args:
        coded: the stream; its states stay as they are.
    """

    def __init__(self, coded: Stream) -> None:
        self._coded = coded
        self._states = coded.states
        self._content = np.empty(coded.count, dtype=np.uint8)
        self._done = self._used = 0

    def until(self, stop: int) -> Bytes:
        """Bytes 0 … stop − 1; at the last one everything is checked as in `decode`.

        Raises:
            PayloadError: states and words do not fit.
        """
        coded = self._coded
        if stop > self._done:
            lanes = len(coded.states)
            end = min(-(-stop // lanes) * lanes, coded.count)  # whole rows, so that the next begins with the first lane
            words = coded.words[self._used :]
            content, states, used = _decoded(self._states.copy(), words, end - self._done, coded.model)
            if end == coded.count:
                _check_end(states, self._used + used, len(coded.words))
            self._content[self._done : end] = content
            self._states, self._used, self._done = states, self._used + used, end
        return self._content[:stop]


def _check_end(states: NDArray[np.uint32], used: int, words: int) -> None:
    if used != words or not (states == TOTAL).all():
        raise PayloadError(f"rANS used {used} of {words} words, or did not end in the states that it has to")


def _decoded(
    states: NDArray[np.uint32], words: NDArray[np.uint16], count: int, model: Model
) -> tuple[Bytes, NDArray[np.uint32], int]:
    """The next bytes, states after them, and the number of words used; the states given may be changed."""
    if kernels.compiled is not None:
        content, used = _decode_compiled(states, words, count, model)
        return content, states, used
    few = len(states) < _FEW
    return (_decode_few if few else _decode_rows)(states, words.astype(np.uint32), count, model)


def _decode_compiled(
    states: NDArray[np.uint32], words: NDArray[np.uint16], count: int, model: Model
) -> tuple[Bytes, int]:
    assert kernels.compiled is not None
    content = np.empty(count, dtype=np.uint8)
    used = kernels.compiled.decode_rans(states, words, model.frequencies.astype(np.uint32), content)
    if used < 0:
        raise PayloadError("rANS has too few words")
    return content, used


def _decode_few(
    states: NDArray[np.uint32], words: NDArray[np.uint32], count: int, model: Model
) -> tuple[Bytes, NDArray[np.uint32], int]:
    """Byte after byte."""
    symbols = np.repeat(np.arange(256, dtype=np.uint8), model.frequencies).tobytes()
    frequency, start = model.frequencies.tolist(), model.starts.tolist()
    state, word, lanes = states.tolist(), words.tolist(), len(states)
    content, used, lane = bytearray(count), 0, 0
    for i in range(count):
        x = state[lane]
        slot = x & 0xFFFF
        content[i] = symbol = symbols[slot]
        x = frequency[symbol] * (x >> 16) + slot - start[symbol]
        if x < TOTAL:
            if used == len(word):
                raise PayloadError("rANS has too few words")
            x = x << 16 | word[used]
            used += 1
        state[lane] = x
        lane += 1
        if lane == lanes:
            lane = 0
    return np.frombuffer(content, dtype=np.uint8), np.array(state, dtype=np.uint32), used


def _decode_rows(
    states: NDArray[np.uint32], words: NDArray[np.uint32], count: int, model: Model
) -> tuple[Bytes, NDArray[np.uint32], int]:
    """A row of one byte a lane at a time."""
    lanes = len(states)
    symbols = np.repeat(np.arange(256, dtype=np.uint8), model.frequencies)
    # Of every r = x mod 2^16: the frequency, and r − C. One lookup less than by way of the byte.
    frequency = model.frequencies.astype(np.uint32)[symbols]
    offset = (np.arange(TOTAL) - model.starts[symbols]).astype(np.uint32)
    content = np.empty(count, dtype=np.uint8)
    low, high, least = np.uint32(0xFFFF), np.uint32(16), np.uint32(TOTAL)
    slot, factor = np.empty(lanes, dtype=np.uint32), np.empty(lanes, dtype=np.uint32)
    used = 0
    for begin in range(0, count, lanes):
        size = min(lanes, count - begin)
        x, r, f = states[:size], slot[:size], factor[:size]
        np.bitwise_and(x, low, out=r)
        # r is below 2^16: mode "clip" only saves take a check
        np.take(symbols, r, out=content[begin : begin + size], mode="clip")
        np.take(frequency, r, out=f, mode="clip")
        np.right_shift(x, high, out=x)
        np.multiply(x, f, out=x)
        np.take(offset, r, out=f, mode="clip")
        np.add(x, f, out=x)
        short = np.flatnonzero(x < least)
        if used + len(short) > len(words):
            raise PayloadError("rANS has too few words")
        x[short] = x[short] << high | words[used : used + len(short)]
        used += len(short)
    return content, states, used
