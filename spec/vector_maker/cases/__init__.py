"""The cases, by section of the specification: valid vectors and damaged ones together.

Valid vectors are registered when their module is imported; `INVALID` are the makers of damaged ones, in their order.
"""

from __future__ import annotations

from cases import (
    arranged,
    blocks,
    delta_chains,
    delta_damaged,
    delta_damaged_blocks,
    delta_nothing,
    draws_damaged,
    file,
    generators,
    grouped,
    grouped_damaged,
    grouped_tables,
    layers,
    manifest,
    masks,
    rans,
    rotated,
    unfused,
)

INVALID = (
    file.file_rows,
    manifest.manifest_rows,
    masks.frame_rows,
    masks.mask_rows,
    blocks.block_rows,
    layers.layer_rows,
    generators.generator_rows,
    arranged.arranged_rows,
    rans.rans_rows,
    rotated.rotated_rows,
    grouped_damaged.grouped_rows,
    delta_damaged.delta_rows,
    delta_damaged_blocks.delta_block_rows,
    delta_nothing.nothing_rows,
    draws_damaged.drawn_rows,
    draws_damaged.dialect_rows,
)
ALSO_VALID = (grouped, grouped_tables, delta_chains, unfused)  # imported for the vectors that they register
