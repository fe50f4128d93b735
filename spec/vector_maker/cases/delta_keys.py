"""The vectors for what makes a file a delta, ids and the key `pemn.base`: sections 3, 4 and 6.2 of the specification.

They are in the table beside this module.
"""

from __future__ import annotations

from writer.coders import D
from writer.delta import FLIPS
from writer.ids import RAW
from writer.writer import Block, File

from cases.rows import Edit, edited, of, whole
from cases.valid import Valid, again, demand, digest

# Deltas by coder 8, by coder 6, and by both.
BY_FLIPS, BY_XOR, BY_BOTH = "delta_flips_users", "delta_xor_by_hand", "delta_kept_among_others"
EACH = {"flips": BY_FLIPS, "xor": BY_XOR, "both": BY_BOTH}


def broken(delta: str, *edits: Edit) -> Valid:
    """Return a valid delta, edited, with its base."""
    made = again(delta)
    edited(made.file, *edits)
    return made


def keyed(name: str, key: str, value: str | None) -> Valid:
    """Return a valid vector with this key and value as its metadata, which are not right, or with none."""
    made = again(name)
    demand(not made.base or (key, value) != ("pemn.base", digest(made.base)), "the right digest")
    made.file.metadata = [] if value is None else [(key, value)]
    return made


def mask_of_de() -> File:
    """Return a delta with tasks without pemn.base and coder 6, of which only task de needs a mask by coder 8."""
    file = of("delta_tasks", whole(metadata=[], blocks=[Block(D.FLOAT32, RAW, bytes(68))]))
    demand(file.masks[0].coder == FLIPS and file.entries[4].task == 2, "the mask is not that of the second task")
    return file
