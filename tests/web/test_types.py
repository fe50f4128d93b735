"""The types of the decoder in JavaScript, in web/types: they are those that its sources say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .node import WEB, run_node

TSC = WEB / "node_modules" / "typescript" / "bin" / "tsc"


def names(text: str) -> set[str]:
    """The exports of a module, or of its types; types of comments are left out."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = set(re.findall(r"^export (?:declare )?(?:async )?(?:function|class|const|let) (\w+)", text, re.MULTILINE))
    for group in re.findall(r"^export \{([^}]*)\}", text, re.MULTILINE):
        found |= {name.split(" as ")[-1].strip() for name in group.split(",") if name.strip()}
    return found | set(re.findall(r'^export (\* from "[^"]+")', text, re.MULTILINE))


def modules(folder: Path, suffix: str) -> dict[str, set[str]]:
    """The exported names by module."""
    return {
        path.relative_to(folder).as_posix().removesuffix(suffix): names(path.read_text(encoding="utf-8"))
        for path in folder.rglob(f"*{suffix}")
    }


def test_the_types_have_the_names_of_the_sources() -> None:
    found = modules(WEB / "src", ".js")
    assert {"load", "loadTasks", "open", "PemnError", "PemnFile", "RequestError"} == found["index"]
    assert modules(WEB / "types", ".d.ts") == found


def test_the_types_are_what_the_compiler_makes(tmp_path: Path) -> None:
    """As `npm run types` writes them, and the sources have no error of types."""
    if not TSC.exists():
        pytest.skip("TypeScript is not installed (npm install in web/): only the names in web/types were compared")
    run_node(
        TSC, "-p", WEB, "--noEmit", "false", "--emitDeclarationOnly", "--declaration", "--outDir", tmp_path / "types"
    )
    made, kept = (
        {path.relative_to(folder): path.read_text(encoding="utf-8") for path in folder.rglob("*.d.ts")}
        for folder in (tmp_path / "types", WEB / "types")
    )
    assert made == kept, "npm run types"


def test_the_page_has_no_error_of_types() -> None:
    if not TSC.exists():
        pytest.skip("TypeScript is not installed (npm install in web/): the types of the page were not checked")
    run_node(TSC, "-p", WEB / "demo")
