"""Random calls of the compiled loops with the results that numpy or plain Python give, and values that each refuses.

A buffer lies at a random address, and ends where its allocation ends or is followed by bytes that must not change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pemncodec.generators.pytorch import arithmetic as pytorch_numbers

from . import plain_rans

Array = NDArray[Any]
STREAMED = 1 << 18  # elements, from which the loops write past the cache
EXTREMES = [0, 1, -1, 2, 3, 7, 8, 9, 16, 255, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63), 2**63, 2**70]
MARGIN = 24


@dataclass
class Buffer:
    """An argument: its content, and what a function takes there.

    Attributes:
        content: elements, as they are before the call.
        written: whether the function writes to it.
        types: letters of numpy's kinds that are taken (`u`, `f`, or `ufi` for any number).
    """

    content: Array
    written: bool = False
    types: str = "u"
    _raw: Array = field(init=False)
    _before: Array = field(init=False)
    _start: int = field(init=False)

    def place(self, rng: np.random.Generator, raw: Array | None = None, start: int = 0) -> memoryview:
        """The content at a random address, or within `raw`; as elements or as bytes."""
        size = self.content.nbytes
        if raw is None:
            start = int(rng.integers(2 * MARGIN))
            raw = rng.integers(256, size=start + size + int(pick(rng, [0, 0, MARGIN])), dtype=np.uint8)
        self._raw, self._start = raw, start
        raw[start : start + size] = self.content.view(np.uint8)
        self._before = raw.copy()
        part = raw[start : start + size]
        width = self.content.itemsize
        kinds = [f"{kind}{width}" for kind in self.types if f"{kind}{width}" != "f1"]
        view = part if rng.random() < 0.3 else part.view(pick(rng, kinds))
        view.flags.writeable = self.written
        return view.data

    def after(self) -> Array:
        """The content after the call; what lies around it is as before."""
        stop = self._start + self.content.nbytes
        assert (self._raw[: self._start] == self._before[: self._start]).all(), "bytes before the buffer were written"
        assert (self._raw[stop:] == self._before[stop:]).all(), "bytes after the buffer were written"
        if not self.written:
            assert (self._raw == self._before).all(), "a buffer to read was written"
        return self._raw[self._start : stop].copy().view(self.content.dtype)


@dataclass
class Call:
    """A call that has to succeed.

    Attributes:
        arguments: numbers, and `Buffer`s.
        check: takes the result and the contents of all buffers after the call.
        wrong: a number of an argument, and a value for it that has to be refused.
    """

    name: str
    arguments: list[Any]
    check: Callable[[Any, list[Array]], None]
    wrong: list[tuple[int, Any]] = field(default_factory=list)

    @property
    def buffers(self) -> list[int]:
        return [i for i, argument in enumerate(self.arguments) if isinstance(argument, Buffer)]


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    return options[int(rng.integers(len(options)))]


def numbers(rng: np.random.Generator, kind: str, count: int) -> Array:
    return np.frombuffer(rng.bytes(count * np.dtype(kind).itemsize), dtype=kind)


def same(found: Array, expected: Array) -> None:
    assert found.tobytes() == expected.tobytes(), "a result differs"


# --- calls that have to succeed -------------------------------------------------------------------------------


def _frequencies(rng: np.random.Generator) -> Array:
    kind = rng.integers(3)
    if kind == 0:
        table = np.ones(256, dtype=np.int64)
        table[rng.integers(256)] += 65_536 - 256
    elif kind == 1:
        table = np.array(plain_rans.byte_frequencies(int(rng.integers(1, 256))))
    else:
        table = 1 + rng.multinomial(65_536 - 256, rng.dirichlet(np.full(256, 0.1)))
    return table.astype(np.uint32)


def _wrong_frequencies(rng: np.random.Generator, table: Array) -> list[Buffer]:
    found = [table[:255], np.append(table, table[:1]), table[:0], np.roll(table, 1) + (table > 1), np.zeros_like(table)]
    for step in (1, -1):
        other = table.copy()
        other[int(np.argmax(table))] = int(table.max()) + step
        found.append(other)
    none = table.copy()
    none[int(np.argmax(table))] += none[7]
    none[7] = 0
    found += [none, np.full_like(table, 0xFFFFFFFF), rng.integers(2**32, size=256, dtype=np.uint32)]
    return [Buffer(other.astype(np.uint32)) for other in found]


def _coded(rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Content, frequencies, states and words."""
    table = _frequencies(rng)
    count = int(pick(rng, [0, 1, 2, rng.integers(3, 400)]))
    content = rng.choice(256, p=table / 65_536, size=count).astype(np.uint8)
    lanes = int(rng.integers(1, 50))
    coded = plain_rans.encode(content.tobytes(), table.tolist(), lanes)
    body = coded[1:]  # the number of lanes takes one byte
    states, words = np.frombuffer(body[: 4 * lanes], dtype="<u4"), np.frombuffer(body[4 * lanes :], dtype="<u2")
    return content, table, states.astype(np.uint32), words.astype(np.uint16)


def decode_rans(rng: np.random.Generator) -> Call:
    content, table, states, words = _coded(rng)
    more = int(pick(rng, [0, 1, rng.integers(100)]))
    few = len(words) > 0 and rng.random() < 0.2
    given = words[: rng.integers(len(words))] if few else np.append(words, numbers(rng, "u2", more))

    def check(result: Any, after: list[Array]) -> None:
        if few:
            assert result == -1
            return
        assert result == len(words)
        same(after[3], content)
        assert (after[0] == 65_536).all()

    out = Buffer(numbers(rng, "u1", len(content)), written=True)
    wrong = [(2, other) for other in _wrong_frequencies(rng, table)] + [(0, Buffer(states[:0], written=True))]
    return Call("decode_rans", [Buffer(states, written=True), Buffer(given), Buffer(table), out], check, wrong)


def encode_rans(rng: np.random.Generator) -> Call:
    content, table, states, words = _coded(rng)
    room = len(content) + int(pick(rng, [0, 1, rng.integers(100)]))

    def check(result: Any, after: list[Array]) -> None:
        assert result == len(words)
        same(after[2], states)
        same(after[3][room - result :], words)

    lanes, space = Buffer(numbers(rng, "u4", len(states)), written=True), Buffer(numbers(rng, "u2", room), written=True)
    wrong = [(1, other) for other in _wrong_frequencies(rng, table)] + [(2, Buffer(states[:0], written=True))]
    if len(content):
        wrong.append((3, Buffer(space.content[: len(content) - 1], written=True)))
    return Call("encode_rans", [Buffer(content), Buffer(table), lanes, space], check, wrong)


def _flags(packed: Array, count: int) -> NDArray[np.bool_]:
    return np.unpackbits(packed, bitorder="little")[:count].astype(np.bool_)


def _tile(rng: np.random.Generator, kind: str, count: int) -> tuple[Array, int, int]:
    """Values with what follows a period, the period and the phase."""
    period = int(pick(rng, [1, 2, 7, 8, 9, rng.integers(1, 500), max(count, 1)]))
    values = numbers(rng, kind, period) * rng.integers(2, size=period).astype(kind)
    phase = int(pick(rng, [0, period - 1, rng.integers(period)]))
    tail = 0 if phase + count <= period and rng.random() < 0.5 else 8 + int(rng.integers(100))
    return np.resize(values, period + tail), period, phase


def fill(rng: np.random.Generator, most: int = 700) -> Call:
    width, zero = int(pick(rng, [1, 2, 4, 8])), int(rng.integers(3))
    kind = f"u{width}"
    count = int(pick(rng, [0, 1, 7, 8, 9, rng.integers(most)]))
    if most > STREAMED:
        count = STREAMED + int(rng.integers(-1, most - STREAMED))
    packed = numbers(rng, "u1", (count + 7) // 8 + int(rng.integers(2)))
    first, second = _tile(rng, kind, count), _tile(rng, kind, count)

    def check(result: Any, after: list[Array]) -> None:
        assert result is None
        values, others = (np.resize(np.roll(v[:period], -phase), count) for v, period, phase in (first, second))
        sign = np.array(1 << (8 * width - 1), dtype=kind)
        off = [np.zeros_like(values), np.where(values == 0, values, values ^ sign), others][zero]
        same(after[0], np.where(_flags(packed, count), values, off))

    values, others = (Buffer(v, types="ufi") for v, _, _ in (first, second))
    out = Buffer(numbers(rng, kind, count), written=True, types="ufi")
    arguments = [out, Buffer(packed), width, zero, values, *first[1:], others, *second[1:]]
    wrong: list[tuple[int, Any]] = [(2, w) for w in EXTREMES if w not in (1, 2, 4, 8)]
    wrong += [(3, z) for z in EXTREMES if z not in (0, 1, 2)]
    for at, (content, period, _) in ((5, first), (8, second)):
        wrong += [(at, p) for p in EXTREMES if not 1 <= p <= len(content)] + [(at, len(content) + 1)]
        wrong += [(at + 1, p) for p in EXTREMES if not 0 <= p < period] + [(at + 1, period)]
        wrong.append((at - 1, Buffer(content[: period - 1], types="ufi")))
    if count:
        wrong.append((1, Buffer(packed[: (count - 1) // 8])))
    return Call("fill", arguments, check, wrong)


def scatter(rng: np.random.Generator) -> Call:
    width, count = int(pick(rng, [1, 2, 4, 8])), int(pick(rng, [0, 1, 7, 8, 9, rng.integers(700)]))
    kind = f"u{width}"
    packed = numbers(rng, "u1", (count + 7) // 8 + int(rng.integers(2)))
    packed = packed & np.uint8(rng.integers(256)) if rng.random() < 0.3 else packed
    flags = _flags(packed, count)
    ones = int(np.count_nonzero(flags))
    kept = numbers(rng, kind, max(0, ones + int(pick(rng, [0, 0, 1, 20, -1]))))

    def check(result: Any, after: list[Array]) -> None:
        if len(kept) < ones:
            assert result == -1
            return
        assert result == ones
        expected = np.zeros(count, dtype=kind)
        expected[flags] = kept[:ones]
        same(after[0], expected)

    out = Buffer(numbers(rng, kind, count), written=True, types="ufi")
    wrong: list[tuple[int, Any]] = [(2, w) for w in EXTREMES if w not in (1, 2, 4, 8)]
    if count:
        wrong.append((1, Buffer(packed[: (count - 1) // 8])))
    return Call("scatter", [out, Buffer(packed), width, Buffer(kept, types="ufi")], check, wrong)


def join_planes(rng: np.random.Generator) -> Call:
    width, count, rotated = int(pick(rng, [2, 4, 8])), int(pick(rng, [0, 1, rng.integers(700)])), bool(rng.integers(2))
    elements = numbers(rng, f"<u{width}", count)
    turned = [(int(e) << 1 | int(e) >> (8 * width - 1)) & (1 << 8 * width) - 1 for e in elements]  # by one to the left
    stored = np.array(turned, dtype=f"<u{width}") if rotated else elements
    planes = np.ascontiguousarray(stored.view(np.uint8).reshape(count, width).T).reshape(-1)

    def check(result: Any, after: list[Array]) -> None:
        assert result is None
        same(after[0], elements)

    wrong: list[tuple[int, Any]] = [(2, w) for w in EXTREMES if w not in (2, 4, 8)]
    wrong += [(1, Buffer(np.append(planes, planes[:1]))), (1, Buffer(planes[:-1]))] if count else []
    out = Buffer(numbers(rng, f"u{width}", count), written=True)
    return Call("join_planes", [out, Buffer(planes), width, rotated], check, wrong)


def positions(rng: np.random.Generator) -> Call:
    packed = numbers(rng, "u1", int(pick(rng, [0, 1, 7, 8, 9, rng.integers(200)])))
    packed = packed & np.uint8(rng.integers(256)) if rng.random() < 0.5 else packed
    expected = np.flatnonzero(np.unpackbits(packed, bitorder="little")).astype(np.int64)
    room = max(0, len(expected) + int(pick(rng, [0, 0, 0, 1, -1, 20])))

    def check(result: Any, after: list[Array]) -> None:
        assert result is (room == len(expected))
        if result:
            same(after[0], expected)

    return Call("positions", [Buffer(numbers(rng, "i8", room), written=True, types="ui"), Buffer(packed)], check)


def varints(rng: np.random.Generator) -> Call:
    values = [int(rng.integers(2 ** int(rng.integers(1, 64)))) for _ in range(int(rng.integers(40)))]
    start, most = int(rng.integers(9)), int(pick(rng, [2**63 - 1, 2**63 - 1, 1000]))
    column = [_leb128(value) for value in values]
    spoilt = bool(values) and rng.random() < 0.3
    if spoilt:  # needless bytes, or one more than nine
        column[-1] = pick(rng, [bytes([column[-1][0] | 0x80]) + b"\0", b"\xff" * 9 + b"\1", b"\x80\x80\0", b"\x80"])
    data = rng.bytes(start) + b"".join(column)
    whole = data + (b"" if spoilt else rng.bytes(int(rng.integers(5))))

    def check(result: Any, _after: list[Array]) -> None:
        expected = (values, len(data))
        assert result == (None if spoilt or max(values, default=0) > most else expected)

    content = np.frombuffer(whole, dtype=np.uint8)
    wrong = [(1, w) for w in EXTREMES if not 0 <= w <= len(whole)] + [(3, -1), (3, 2**63), (3, -(2**63))]
    wrong += [(2, w) for w in EXTREMES if not 0 <= w <= len(whole) - start]
    return Call("varints", [Buffer(content), start, len(values), most], check, wrong)


def _leb128(value: int) -> bytes:
    groups = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])


def mt19937(rng: np.random.Generator) -> Call:
    state, blocks = numbers(rng, "u4", 624), int(rng.integers(4))
    after_all = state
    expected = state[:0]
    if blocks:
        reference = np.random.RandomState()
        reference.set_state(("MT19937", state, 624, 0, 0.0))
        expected = np.frombuffer(reference.bytes(4 * 624 * blocks), dtype="<u4").astype(np.uint32)
        after_all = reference.get_state(legacy=True)[1].astype(np.uint32)  # type: ignore[index]

    def check(result: Any, after: list[Array]) -> None:
        assert result is None
        same(after[1], expected)
        same(after[0], after_all)

    out = Buffer(numbers(rng, "u4", 624 * blocks), written=True)
    wrong = [(0, Buffer(numbers(rng, "u4", length), written=True)) for length in (0, 1, 623, 625, 1248)]
    wrong += [(1, Buffer(numbers(rng, "u4", length), written=True)) for length in (1, 623, 625)]
    return Call("mt19937", [Buffer(state, written=True), out], check, wrong)


_PARAMETERS = [1.0, 0.1, -3.5, 0.0, 1e-45, 3.4028234663852886e38]
_WRONG_PARAMETERS: list[Any] = [1e39, -1e300, "1", None, b"\0\0\0\0", 2**2000]


def _lengths(rng: np.random.Generator, draws: Array, step: int) -> list[tuple[int, Any]]:
    """Numbers and draws of which one has more or less."""
    found: list[tuple[int, Any]] = []
    for length in {len(draws) + step, len(draws) - step} - {-step}:
        found.append((0, Buffer(numbers(rng, "f4", length), written=True, types="f")))
        found.append((1, Buffer(numbers(rng, "u4", length))))
    return found


def pytorch_normal(rng: np.random.Generator) -> Call:
    draws, scale = numbers(rng, "u4", 16 * int(rng.integers(80))), float(np.float32(pick(rng, _PARAMETERS[:3])))
    names = pytorch_numbers.DIALECTS["normal"]
    dialect = int(rng.integers(len(names)))

    def check(result: Any, after: list[Array]) -> None:
        assert result is None
        fractions = pytorch_numbers.fractions(draws).reshape(-1, 2, 8)
        halves = pytorch_numbers.pairs(fractions[:, 0].reshape(-1), fractions[:, 1].reshape(-1), names[dialect])
        expected = np.stack([pytorch_numbers.scaled(half, scale).reshape(-1, 8) for half in halves], axis=1)
        same(after[0], expected.astype(np.float32).reshape(-1))

    out = Buffer(numbers(rng, "f4", len(draws)), written=True, types="f")
    wrong = [(3, d) for d in EXTREMES if d not in (0, 1, 2)] + [(2, p) for p in _WRONG_PARAMETERS]
    wrong += _lengths(rng, draws, int(pick(rng, [1, 8, 16])))
    return Call("pytorch_normal", [out, Buffer(draws), scale, dialect], check, wrong)


def pytorch_uniform(rng: np.random.Generator) -> Call:
    draws = numbers(rng, "u4", int(rng.integers(1000)))
    scale, low = (float(np.float32(pick(rng, _PARAMETERS[:5]))) for _ in range(2))
    fused = bool(rng.integers(2))

    def check(result: Any, after: list[Array]) -> None:
        assert result is None
        name = pytorch_numbers.DIALECTS["uniform"][0 if fused else 1]
        with np.errstate(all="ignore"):
            expected = pytorch_numbers.interval(pytorch_numbers.fractions(draws), scale, low, name)
        same(after[0], np.asarray(expected, dtype=np.float32))

    out = Buffer(numbers(rng, "f4", len(draws)), written=True, types="f")
    wrong = [(at, p) for at in (2, 3) for p in _WRONG_PARAMETERS] + _lengths(rng, draws, 1)
    return Call("pytorch_uniform", [out, Buffer(draws), scale, low, fused], check, wrong)


CALLS = [
    decode_rans,
    encode_rans,
    fill,
    scatter,
    join_planes,
    positions,
    varints,
    mt19937,
    pytorch_normal,
    pytorch_uniform,
]
