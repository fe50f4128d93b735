"""Play with the compiled loops: calls that succeed, calls with one thing wrong, calls with some things changed.

`python -m tests.kernel_play --seconds 60` makes them for a while; `make sanitize` does under the sanitizers.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any

import numpy as np

from .kernel_calls import CALLS, EXTREMES, MARGIN, STREAMED, Buffer, Call, fill, pick

REFUSED = (ValueError, TypeError, BufferError, OverflowError)


def _call(compiled: Any, name: str, arguments: list[Any]) -> Any:
    """The result; no view of a buffer is left behind, whether it succeeds or not."""
    try:
        return getattr(compiled, name)(*arguments)
    finally:
        for argument in arguments:
            if isinstance(argument, memoryview):
                argument.release()  # raises BufferError where it is still in use


def _refuse(compiled: Any, name: str, arguments: list[Any]) -> None:
    try:
        result = _call(compiled, name, arguments)
    except REFUSED as error:
        assert "exported" not in str(error), error  # noqa: PT017
        return
    raise AssertionError(f"{name} returned {result!r} instead of an error")


def succeed(compiled: Any, rng: np.random.Generator, call: Call) -> None:
    """Make the call, sometimes with its buffers side by side in one allocation."""
    arguments = list(call.arguments)
    together = None
    if rng.random() < 0.2:
        size = sum(arguments[at].content.nbytes for at in call.buffers)
        start = int(rng.integers(MARGIN))
        together = np.zeros(start + size, dtype=np.uint8)
        for at in rng.permutation(call.buffers):
            buffer = arguments[at]
            together[start : start + buffer.content.nbytes] = buffer.content.view(np.uint8)
            view = together[start : start + buffer.content.nbytes]
            start += view.nbytes
            arguments[at] = view.data
        views = {at: arguments[at].obj for at in call.buffers}
        result = _call(compiled, call.name, arguments)
        call.check(result, [views[at].view(call.arguments[at].content.dtype) for at in call.buffers])
        return
    for at in call.buffers:
        arguments[at] = arguments[at].place(rng)
    result = _call(compiled, call.name, arguments)
    call.check(result, [call.arguments[at].after() for at in call.buffers])


def _wrong_buffers(buffer: Buffer) -> list[Any]:
    """Return arguments that must be refused in place of a buffer: no buffers, other items, gaps, read-only."""
    content, width = buffer.content, buffer.content.itemsize
    found: list[Any] = [None, 7, 0.5, "text", [1, 2], object(), np.empty(len(content), dtype=object)]
    found += [content.astype(np.dtype("U1")), np.zeros(len(content), dtype=[("a", content.dtype), ("b", "u1")])]
    if len(content) > 1:
        found += [np.repeat(content, 2)[::2], content[::-1], np.stack([content, content], axis=1)[:, :1]]
        found.append(np.stack([content, content]).T)
    if buffer.written:
        still = content.copy()
        still.flags.writeable = False
        found += [content.tobytes(), still, memoryview(bytearray(content.tobytes())).toreadonly()]
    if width > 1:
        raw = content.view(np.uint8)
        found += [np.append(raw, raw[:1]), bytearray(width - 1), content.astype(content.dtype.newbyteorder(">"))]
        found[-3] = np.append(raw, np.uint8(1))
    other = [f"{kind}{w}" for kind in "uif" for w in (1, 2, 4, 8) if (kind not in buffer.types or w != width) and w > 1]
    found += [np.zeros(len(content), dtype=kind) for kind in [*other, "?", "c8", "c16", "g"]]
    return found


def fail(compiled: Any, rng: np.random.Generator, call: Call) -> None:
    """Make the call with one thing wrong."""
    arguments = list(call.arguments)
    kind = rng.integers(3)
    pairs = [(a, b) for a in call.buffers for b in call.buffers if a != b and arguments[a].written]
    pairs = [(a, b) for a, b in pairs if arguments[a].content.nbytes and arguments[b].content.nbytes]
    at: int
    if kind == 0 and call.wrong:
        at, arguments[at] = pick(rng, call.wrong)
    elif kind == 1 and pairs:
        _overlap(rng, arguments, *pick(rng, pairs))
    else:
        at = int(pick(rng, call.buffers))
        wrong = _wrong_buffers(arguments[at])
        arguments[at] = pick(rng, wrong)
    arguments = [a.place(rng) if isinstance(a, Buffer) else a for a in arguments]
    _refuse(compiled, call.name, arguments)


def _overlap(rng: np.random.Generator, arguments: list[Any], a: int, b: int) -> None:
    """Place both so that they share a byte at least."""
    first, second = arguments[a].content.nbytes, arguments[b].content.nbytes
    step = int(pick(rng, [1 - second, first - 1, rng.integers(1 - second, first), 0]))
    raw = np.zeros(first + second + abs(step), dtype=np.uint8)
    begin = max(0, -step)
    arguments[a], arguments[b] = (
        raw[start : start + size].data for start, size in ((begin, first), (begin + step, second))
    )


def anything(compiled: Any, rng: np.random.Generator, call: Call) -> bool:
    """Make the call with some things changed; whether it succeeds, which is as good as an error."""
    arguments = list(call.arguments)
    buffers: list[Buffer] = []
    for at, argument in enumerate(arguments):
        change = rng.random() < 0.3
        if isinstance(argument, Buffer):
            if change:
                size = max(0, argument.content.nbytes + int(pick(rng, [-1, 1, -8, 8, rng.integers(-64, 64)])))
                argument = Buffer(np.resize(argument.content.view(np.uint8), size), argument.written)
            buffers.append(argument)
            arguments[at] = argument.place(rng)
        elif change and isinstance(argument, float):
            arguments[at] = pick(rng, [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-300, 3.4e38, 3.5e38, 1e308])
        elif change:
            arguments[at] = int(rng.integers(-2, 20)) if rng.random() < 0.8 else pick(rng, EXTREMES)
    try:
        _call(compiled, call.name, arguments)
    except REFUSED as error:
        assert "exported" not in str(error), error  # noqa: PT017
        return False
    for buffer in buffers:
        buffer.after()
    return True


def play(compiled: Any, rng: np.random.Generator) -> Counter[str]:
    """Some calls of each kind to each function; how often they were made."""
    counter: Counter[str] = Counter()
    for make in CALLS:
        call = make(rng)
        for _ in range(3):
            succeed(compiled, rng, call)
        for _ in range(12):
            fail(compiled, rng, call)
        changed = sum(anything(compiled, rng, call) for _ in range(9))
        counter += Counter(
            {
                f"{call.name}: right": 3,
                f"{call.name}: wrong": 12,
                f"{call.name}: changed, a result": changed,
                f"{call.name}: changed, an error": 9 - changed,
            }
        )
    return counter


def main() -> None:
    """Play for some seconds, each round from a seed of its own, and say how often what was called."""
    from pemncodec.common import kernels

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    options = parser.parse_args()
    assert kernels.compiled is not None, "the compiled loops were not built"
    counter: Counter[str] = Counter()
    stop, seed = time.monotonic() + options.seconds, options.seed
    while time.monotonic() < stop:
        rng = np.random.default_rng(seed)
        try:
            counter += play(kernels.compiled, rng)
            if seed % 50 == 0:
                succeed(kernels.compiled, rng, fill(rng, most=STREAMED + 1000))
        except BaseException:
            print(f"in the round of --seed {seed}:", flush=True)
            raise
        seed += 1
    for name, count in sorted(counter.items()):
        print(f"{count:10,} {name}")
    print(f"{counter.total():10,} calls in {seed - options.seed:,} rounds")


if __name__ == "__main__":
    main()
