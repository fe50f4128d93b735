"""Make the demonstration page: `python web/demo/build.py [FOLDER]`, by default build/web-demo.

It is one page with all scripts in it, and the network beside it: as digits.pemn, which the page fetches, and as a
script for a page that is opened as a file, which may not fetch.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import sys
from pathlib import Path

import safetensors.torch

import pemncodec

HERE = Path(__file__).resolve().parent
_IMPORT = re.compile(r'^import (?:\{([^}]*)\}|\* as (\w+)) from "([^"]+)";$', re.MULTILINE)
_ALL_OF = re.compile(r'^export \* from "([^"]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function|class|const) (\w+)", re.MULTILINE)
_NAMES = re.compile(r"^export \{([^}]*)\};$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*/\*\*.*?\*/\n", re.MULTILINE | re.DOTALL)


def bundle(entry: Path) -> str:
    """A module and all that it imports as one classic script: each module a function that returns what it exports.

    It knows the forms of import and export that the modules of this repository use, and no others.
    """
    numbers: dict[Path, int] = {}
    pieces: list[str] = []

    def add(path: Path) -> int:
        if path in numbers:
            return numbers[path]
        text = _COMMENT.sub("", path.read_text(encoding="utf-8"))

        def number(name: str) -> int:
            return add((path.parent / name).resolve())

        def imported(found: re.Match[str]) -> str:
            names = found[2] or "{" + found[1].replace(" as ", ": ") + "}"
            return f"const {names} = module{number(found[3])};"

        text = _IMPORT.sub(imported, text)
        passed_on = [f"...module{number(name)}" for name in _ALL_OF.findall(text)]
        text = _ALL_OF.sub("", text)
        exports = passed_on + [name for _, name in _EXPORT.findall(text)]
        exports += [name.strip() for found in _NAMES.findall(text) for name in found.split(",")]
        text = _NAMES.sub("", _EXPORT.sub(r"\1 \2", text))
        if re.search(r"^(import|export) ", text, re.MULTILINE):
            raise ValueError(f"{path.name} has an import or export of another form")
        numbers[path] = len(numbers)
        pieces.append(f"const module{numbers[path]} = (() => {{\n{text}\nreturn {{ {', '.join(exports)} }};\n}})();\n")
        return numbers[path]

    add(entry.resolve())
    return '"use strict";\n' + "".join(pieces)


def build(folder: Path) -> None:
    """Write the page and the network into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    network = HERE / "digits.pemn"
    shutil.copyfile(network, folder / "digits.pemn")
    text = base64.b64encode(network.read_bytes()).decode()
    (folder / "digits.pemn.js").write_text(f'globalThis.digitsPemn = "{text}";\n', encoding="utf-8")
    page = (HERE / "index.html").read_text(encoding="utf-8")
    parts = {
        "STYLE": (HERE / "style.css").read_text(encoding="utf-8"),
        "FACTS": json.dumps({"safetensors": len(safetensors.torch.save(pemncodec.load_file(network)))}),
        "WORKER": bundle(HERE / "worker.js"),
        "PAGE": bundle(HERE / "page.js"),
    }
    for name, part in parts.items():
        if "</script" in part:
            raise ValueError(f"{name} would end its element")
        page = page.replace(f"/* {name} */", part)
    (folder / "index.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / "build" / "web-demo"
    build(target)
    sys.stdout.write(f"{target / 'index.html'}\n")
