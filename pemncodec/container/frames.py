"""`zstd(x)` of spec section 1: one frame, its content size declared and checked before decompression."""

from __future__ import annotations

from threading import local

import zstandard

from ..errors import FormatError
from .cursor import Payload

# Above these level 19 takes seconds. On packed masks it gains nothing, on the exponents of floats 8 %.
STRONG_LIMIT = 1 << 20
STRONG_LIMIT_OF_VALUES = 1 << 23

MAX_WINDOW = 1 << 27
# A block of 4 bytes holds at most 2^17 (RFC 8878): what declares more cannot be true, and is not allocated.
MAX_EXPANSION = 1 << 15
# Beyond this much above what is there already, the strong level is not tried.
_HOPELESS = 1.15


def compress_below(data: Payload, limit: float, strong_limit: int = STRONG_LIMIT) -> bytes:
    """As `compress`, but the strong level is left out where the weak ones are far above `limit` bytes."""
    weak = compress(data, 0)
    if len(weak) > _HOPELESS * limit or len(data) > strong_limit:
        return weak
    return min(weak, strong(data), key=len)


def compress_mask(data: Payload, limit: int) -> bytes:
    """As `compress`, but of little data the other levels are left out where the first is above `limit` bytes.

    Where `limit` is that of rANS they were not below it then but on 3 of 276 masks, random ones and such of rows,
    columns and blocks, and on these by 3 % at most. Searching takes longer than all else that is done for a small mask.
    """
    if len(data) <= _SMALL:
        first = _compress(data, 1)
        if len(first) > limit:
            return first
    return compress(data)


def strong(data: Payload) -> bytes:
    """By the strong level alone, for what the weak ones were tried on."""
    return _compress(data, 19)


def compress(data: Payload, strong_limit: int = STRONG_LIMIT) -> bytes:
    """The smallest of a few zstd levels, deterministic for one version of the library.

    Packed masks are not helped by long searches (Huffman does the work): level 1 is a few bytes smaller there
    than level 19, and 7 % smaller than level 3 on the gaps of a long mask of density 0.15; text and sparse planes
    are the other way round.
    """
    levels = (1, 3, 19) if len(data) <= strong_limit else (1, 3)
    return min((_compress(data, level) for level in levels), key=len)


class _Compressors(local):
    """The compressors of a thread, by level: making one takes longer than compressing a few hundred bytes."""

    def __init__(self) -> None:
        self._made: dict[int, zstandard.ZstdCompressor] = {}

    def of(self, level: int) -> zstandard.ZstdCompressor:
        found = self._made.get(level)
        if found is None:
            found = self._made[level] = _compressor(level)
        return found


# For data of at most this size: a compressor keeps the memory that the largest data took.
_SMALL = 1 << 15
_compressors = _Compressors()


def _compressor(level: int) -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=level, write_checksum=False, write_content_size=True)


def _compress(data: Payload, level: int) -> bytes:
    return (_compressors.of(level) if len(data) <= _SMALL else _compressor(level)).compress(data)


# Bytes of the shortest frame: magic number, descriptor, size of the content, header of a block, one byte.
MIN_FRAME = 10


def content_size(frame: Payload, what: str, error: type[FormatError]) -> int:
    """The content size that the frame declares."""
    try:
        parameters = zstandard.get_frame_parameters(frame)
    except zstandard.ZstdError as reason:
        raise error(f"{what}: not a zstd frame ({reason})") from None
    if parameters.dict_id:
        raise error(f"{what}: the zstd frame needs dictionary {parameters.dict_id}, but none is allowed")
    size = parameters.content_size
    if size == zstandard.CONTENTSIZE_UNKNOWN or frame[:4] != b"\x28\xb5\x2f\xfd":
        raise error(f"{what}: the zstd frame does not declare its content size")
    if parameters.window_size > max(MAX_WINDOW, size):
        raise error(f"{what}: the zstd frame needs a window of {parameters.window_size} bytes")
    if size > len(frame) * MAX_EXPANSION:
        raise error(f"{what}: a zstd frame of {len(frame)} bytes cannot hold {size}")
    return int(size)


def _decompressor() -> zstandard.ZstdDecompressor:
    """Return the decompressor of this thread: small frames take less time than making one."""
    found: zstandard.ZstdDecompressor | None = getattr(_OF_THREAD, "decompressor", None)
    if found is None:
        found = _OF_THREAD.decompressor = zstandard.ZstdDecompressor()
    return found


_OF_THREAD = local()


def decompress(frame: Payload, size: int, what: str, error: type[FormatError]) -> bytes:
    """The content of `frame`, which must be exactly `size` bytes.

    Raises:
        error: no frame, another size, more than one frame, bytes after it, or damaged.
    """
    declared = content_size(frame, what, error)
    if declared != size:
        raise error(f"{what}: the zstd frame declares {declared} bytes, expected {size}")
    try:
        if size:
            data = _decompressor().decompress(frame, max_output_size=size, allow_extra_data=False)
        else:  # the one-shot call returns early on an empty frame, and would not see what follows it
            stream = zstandard.ZstdDecompressor().decompressobj()
            data = stream.decompress(frame)
            if not stream.eof or stream.unused_data:
                raise error(f"{what}: the empty zstd frame does not end where its bytes end")
    except zstandard.ZstdError as reason:
        raise error(f"{what}: the zstd frame does not decompress ({reason})") from None
    if len(data) != size:
        raise error(f"{what}: the zstd frame holds {len(data)} bytes, expected {size}")
    return data
