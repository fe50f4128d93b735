"""The mask coders and block coders: a row each (spec sections 5 and 6).

A coder is a module in `coding/masks` or `coding/blocks` and a row here; nothing else names it. A minor version of the
format may add rows, and none ever changes its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Coder:
    """A way to code a section.

    Attributes:
        name: as `pemn inspect` prints it.
        since: minor version of the format that it came with (spec section 3).
        module: with `encode` and `decode`: its name in the folder of these coders, or a whole dotted name.
        tried: place in the order in which an encoder tries the coders, the fast ones first: what they reach tells the
            others when not to begin. None: not one of these.
        around: whether it is put around other coders, which code what it holds.
    """

    name: str
    since: int
    module: str
    tried: int | None = None
    around: bool = False


MASK_CONSTANT, MASK_RAW, MASK_ZSTD, MASK_GAPS_OF_ONES, MASK_GAPS_OF_ZEROS = range(5)
MASK_RANS_BYTES, MASK_RANS_GAPS_OF_ONES, MASK_RANS_GAPS_OF_ZEROS, MASK_FLIPS, MASK_CHUNKS = range(5, 10)
MASK_CODERS: dict[int, Coder] = {
    MASK_CONSTANT: Coder("constant", 0, "constant", 0),
    MASK_RAW: Coder("raw", 0, "raw"),
    MASK_ZSTD: Coder("zstd", 0, "zstd", 6),
    MASK_GAPS_OF_ONES: Coder("gaps of ones", 0, "gaps_of_ones", 4),
    MASK_GAPS_OF_ZEROS: Coder("gaps of zeros", 0, "gaps_of_zeros", 5),
    MASK_RANS_BYTES: Coder("rANS bytes", 1, "rans_bytes", 1),
    MASK_RANS_GAPS_OF_ONES: Coder("rANS gaps of ones", 1, "rans_gaps_of_ones", 2),
    MASK_RANS_GAPS_OF_ZEROS: Coder("rANS gaps of zeros", 1, "rans_gaps_of_zeros", 3),
    MASK_FLIPS: Coder("flips", 3, "flips", around=True),
    MASK_CHUNKS: Coder("chunks", 6, "chunks", around=True),
}

BLOCK_RAW, BLOCK_ZSTD, BLOCK_PLANES, BLOCK_PALETTE, BLOCK_ROTATED_PLANES = range(5)
BLOCK_GROUPED_PLANES, BLOCK_XOR, BLOCK_CHUNKS = range(5, 8)
BLOCK_CODERS: dict[int, Coder] = {
    BLOCK_RAW: Coder("raw", 0, "raw"),
    BLOCK_ZSTD: Coder("zstd", 0, "zstd", 4),
    BLOCK_PLANES: Coder("planes", 0, "planes", 2),
    BLOCK_PALETTE: Coder("palette", 0, "palette", 0),
    BLOCK_ROTATED_PLANES: Coder("rotated planes", 1, "rotated_planes", 3),
    BLOCK_GROUPED_PLANES: Coder("grouped planes", 2, "grouped_planes", 1),
    BLOCK_XOR: Coder("xor", 3, "xor", around=True),
    BLOCK_CHUNKS: Coder("chunks", 6, "chunks", around=True),
}
