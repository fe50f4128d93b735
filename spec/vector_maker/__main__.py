"""Write the conformance vectors `vectors/valid` and `vectors/invalid` of the `.pemn` format.

    python spec/vector_maker [DIRECTORY]

The program is written from `pemn-v1.md` alone and shares no code with any encoder or decoder. Run twice it
writes the same bytes. Most zstd frames are made by hand, so that few bytes depend on the zstd library.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from cases import all_invalid
from cases.valid import VALID, Expected
from writer.coders import utf8
from writer.dialects import check_known_dialects
from writer.drawn import check_known_draws
from writer.numbers import check_known_answers
from writer.rans import check_frequencies


def described(tensor: Expected) -> dict[str, object]:
    """Return a tensor as it stands in the description of a valid vector."""
    data = tensor.data
    held = {"sha256": hashlib.sha256(data).hexdigest()} if len(data) > 256 else {"data": data.hex()}
    return {"name": tensor.name, "dtype": tensor.dtype.name.lower(), "shape": list(tensor.shape), **held}


def write_json(path: Path, value: object) -> None:
    """Write a value as it stands in the files."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def fresh(folder: Path) -> Path:
    """Return the folder, without vectors that were written before."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.pemn"), *folder.glob("*.json")]:
        old.unlink()
    return folder


def write_valid(folder: Path) -> None:
    """Write every valid vector with its description."""
    for name, (about, make) in VALID.items():
        case = make()
        description = {
            "about": about,
            **({} if case.base is None else {"base": f"{case.base}.pemn"}),
            **({"without_base": list(case.without_base)} if case.without_base else {}),
            "metadata": {utf8(key).decode(): utf8(value).decode() for key, value in case.file.metadata},
            "tasks": [utf8(task).decode() for task in case.file.tasks],
            "networks": {task: [described(t) for t in tensors] for task, tensors in case.networks.items()},
        }
        (folder / f"{name}.pemn").write_bytes(case.file.build())
        write_json(folder / f"{name}.json", description)


def write_invalid(folder: Path) -> None:
    """Write every invalid vector, and one list of their error classes."""
    expected: dict[str, dict[str, object]] = {}
    for row in all_invalid():
        if row.name in expected:
            raise ValueError(f"two invalid vectors have the name {row.name}")
        told = {"class": row.error} | {
            key: getattr(row, key) for key in ("reason", "max_bytes", "task", "base", "sound")
        }
        expected[row.name] = {key: value for key, value in told.items() if value is not None}
        (folder / f"{row.name}.pemn").write_bytes(row.bytes())
    write_json(folder / "expected.json", expected)


def main() -> None:
    """Write everything anew."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "vectors"
    for check in (check_known_answers, check_known_draws, check_known_dialects, check_frequencies):
        check()
    write_valid(fresh(root / "valid"))
    write_invalid(fresh(root / "invalid"))


if __name__ == "__main__":
    main()
