"""The decoder of Zstandard frames in JavaScript, beside the library's, on all kinds of frames and on damaged ones."""

from __future__ import annotations

import base64
import json
import random

import zstandard

from .node import WEB, run_node


def contents(rng: random.Random) -> list[bytes]:
    """Noise, skewed bytes, repetitions near and far, few values; lengths around those that change the format."""
    words = [bytes(rng.choices(range(40), k=rng.randrange(1, 90))) for _ in range(200)]
    made = [b"", b"a", b"abc" * 90]
    for size in (255, 256, 1023, 1024, 16_384, 65_791, 65_792, 131_072, 131_073, 300_000):
        made += [
            rng.randbytes(size),
            bytes(rng.choices(range(256), weights=[1 / (1 + i) for i in range(256)], k=size)),
            b"".join(rng.choices(words, k=size // 45)),
            bytes(rng.choices((0, 1, 2, 255), weights=(100, 5, 2, 1), k=size)),
            bytes(size),
        ]
    return made


def decompress(frames: list[bytes]) -> list[bytes | None]:
    """The contents by the decoder in JavaScript; none of a frame that it refuses."""
    lines = "".join(json.dumps({"frame": base64.b64encode(frame).decode()}) + "\n" for frame in frames)
    answers = map(json.loads, run_node(WEB / "test-zstd.mjs", stdin=lines).splitlines())
    return [base64.b64decode(answer["content"]) if "content" in answer else None for answer in answers]


def test_frames_of_all_levels() -> None:
    rng = random.Random(1)
    made = contents(rng)
    levels = (-7, 1, 3, 6, 9, 13, 19)
    frames = [
        zstandard.ZstdCompressor(level=levels[i % 7], write_checksum=i % 2 == 0).compress(content)
        for i, content in enumerate(made)
    ]
    assert decompress(frames) == made


def test_damaged_frames_are_refused_or_give_what_the_library_gives() -> None:
    """It may refuse more (streams of literals with bits left over), never accept more or give other bytes."""
    rng = random.Random(2)
    frames = []
    for content in contents(rng):
        frame = zstandard.ZstdCompressor(level=rng.choice((1, 5, 19)), write_checksum=rng.random() < 0.5).compress(
            content
        )
        for _ in range(6):
            damaged = bytearray(frame)
            for _ in range(rng.randrange(1, 3)):
                damaged[rng.choice((rng.randrange(len(frame)), rng.randrange(min(len(frame), 40))))] ^= (
                    1 << rng.randrange(8)
                )
            frames.append(bytes(damaged[: rng.choice((len(frame), len(frame), rng.randrange(len(frame)) + 1))]))
    accepted = 0
    for frame, found in zip(frames, decompress(frames), strict=True):
        if found is None:
            continue
        accepted += 1
        decoder = zstandard.ZstdDecompressor().decompressobj()
        assert decoder.decompress(frame) == found
        assert decoder.eof
        assert not decoder.unused_data
    assert accepted > 20
