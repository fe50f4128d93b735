"""The ids of the coders of version 1.0, and of coder 4 of blocks: sections 5 and 6 of the specification."""

from __future__ import annotations

CONSTANT, RAW_MASK, ZSTD_MASK, GAPS_OF_ONES, GAPS_OF_ZEROS = range(5)
RAW, ZSTD, PLANES, PALETTE, ROTATED_PLANES = range(5)
