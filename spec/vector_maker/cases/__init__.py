"""The cases, by section of the specification: valid vectors and damaged ones together.

Valid vectors are registered when their module is imported; `INVALID` are the makers of damaged ones, in their order.
"""

from __future__ import annotations

from cases import (
    arranged,
    blocks,
    delta_blocks,
    delta_chains,
    delta_damaged,
    delta_damaged_blocks,
    delta_masks,
    delta_nothing,
    delta_prototypes,
    dialects_damaged,
    drawn,
    file,
    generators,
    grouped,
    grouped_damaged,
    grouped_tables,
    layers,
    manifest,
    payloads,
    rans,
    rotated,
    steps,
    unfused,
)

INVALID = (
    file.file_rows,
    manifest.manifest_rows,
    payloads.payload_rows,
    arranged.arranged_rows,
    rans.rans_rows,
    rotated.rotated_rows,
    grouped_damaged.grouped_rows,
    delta_damaged.delta_rows,
    delta_damaged_blocks.delta_block_rows,
    delta_nothing.nothing_rows,
    drawn.drawn_rows,
    dialects_damaged.dialect_rows,
    steps.step_rows,
)
