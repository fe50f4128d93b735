"""Write the conformance vectors `vectors/valid` and `vectors/invalid` of the `.pemn` format.

    python spec/make_vectors.py [DIRECTORY]

The script is written from `pemn-v1.md` alone and shares no code with any encoder or decoder. Run twice it
writes the same bytes. Most zstd frames are made by hand, so that few bytes depend on the zstd library.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from pathlib import Path

import vector_cases_arranged
import vector_cases_blocks
import vector_cases_delta_blocks
import vector_cases_delta_chains
import vector_cases_delta_masks
import vector_cases_delta_nothing
import vector_cases_delta_prototypes
import vector_cases_dialects
import vector_cases_drawn
import vector_cases_generators
import vector_cases_grouped
import vector_cases_grouped_tables
import vector_cases_grouped_users
import vector_cases_layers
import vector_cases_rans
import vector_cases_rotated
import vector_cases_steps
import vector_cases_unfused
from vector_cases_arranged import arranged_rows
from vector_cases_damaged import payload_rows
from vector_cases_delta_damaged import delta_rows
from vector_cases_delta_damaged_blocks import delta_block_rows
from vector_cases_delta_nothing import nothing_rows
from vector_cases_dialects_damaged import dialect_rows
from vector_cases_drawn_damaged import drawn_rows
from vector_cases_grouped_damaged import grouped_rows
from vector_cases_invalid import file_rows
from vector_cases_manifest import manifest_rows
from vector_cases_rans_damaged import rans_rows
from vector_cases_rotated import rotated_rows
from vector_cases_steps_damaged import step_rows
from vector_cases_valid import VALID, Expected
from vector_coders import utf8
from vector_dialects import check_known_dialects
from vector_drawn import check_known_draws
from vector_numbers import check_known_answers
from vector_rans import check_frequencies

# Imported for the cases they register.
REGISTERED = (
    vector_cases_blocks,
    vector_cases_layers,
    vector_cases_generators,
    vector_cases_arranged,
    vector_cases_rans,
    vector_cases_rotated,
    vector_cases_grouped,
    vector_cases_grouped_tables,
    vector_cases_grouped_users,
    vector_cases_delta_masks,
    vector_cases_delta_blocks,
    vector_cases_delta_prototypes,
    vector_cases_delta_chains,
    vector_cases_delta_nothing,
    vector_cases_drawn,
    vector_cases_dialects,
    vector_cases_steps,
    vector_cases_unfused,
)

INVALID = (
    file_rows,
    manifest_rows,
    payload_rows,
    arranged_rows,
    rans_rows,
    rotated_rows,
    grouped_rows,
    delta_rows,
    delta_block_rows,
    nothing_rows,
    drawn_rows,
    dialect_rows,
    step_rows,
)


def described(tensor: Expected) -> dict[str, object]:
    """A tensor as it stands in the description of a valid vector."""
    row: dict[str, object] = {
        "name": tensor.name,
        "dtype": tensor.dtype.name.lower(),
        "shape": list(tensor.shape),
    }
    if len(tensor.data) > 256:
        return row | {"sha256": hashlib.sha256(tensor.data).hexdigest()}
    return row | {"data": tensor.data.hex()}


def to_json(value: object) -> str:
    """JSON as it stands in the files."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def fresh(folder: Path) -> Path:
    """The folder, without vectors that were written before."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.pemn"), *folder.glob("*.json")]:
        old.unlink()
    return folder


def write_valid(folder: Path) -> None:
    """Every valid vector with its description."""
    for name, make in VALID.items():
        case = make()
        description = {
            "about": make.__doc__,
            **({} if case.base is None else {"base": f"{case.base}.pemn"}),
            "metadata": {utf8(key).decode(): utf8(value).decode() for key, value in case.file.metadata},
            "tasks": [utf8(task).decode() for task in case.file.tasks],
            "networks": {task: [described(t) for t in tensors] for task, tensors in case.networks.items()},
        }
        (folder / f"{name}.pemn").write_bytes(case.file.build())
        (folder / f"{name}.json").write_text(to_json(description), encoding="utf-8")


def write_invalid(folder: Path) -> None:
    """Every invalid vector, and one list of their error classes."""
    expected: dict[str, dict[str, object]] = {}
    for row in itertools.chain.from_iterable(group() for group in INVALID):
        if row.name in expected:
            raise ValueError(f"two invalid vectors have the name {row.name}")
        expected[row.name] = {"class": row.error, "reason": row.reason}
        expected[row.name] |= {} if row.max_bytes is None else {"max_bytes": row.max_bytes}
        expected[row.name] |= {} if row.task is None else {"task": row.task}
        expected[row.name] |= {} if row.base is None else {"base": row.base}
        content = row.content if isinstance(row.content, bytes) else row.content.build()
        (folder / f"{row.name}.pemn").write_bytes(content)
    (folder / "expected.json").write_text(to_json(expected), encoding="utf-8")


def main() -> None:
    """Write everything anew."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "vectors"
    check_known_answers()
    check_known_draws()
    check_known_dialects()
    check_frequencies()
    write_valid(fresh(root / "valid"))
    write_invalid(fresh(root / "invalid"))


if __name__ == "__main__":
    main()
