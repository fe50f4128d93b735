"""Which folder may import which, what an import costs, and that modules stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pemncodec

PACKAGE = Path(pemncodec.__file__).parent
ROOT = PACKAGE.parent

# A station may import the stations on its line or further down (ARCHITECTURE in the README).
LEVELS = [
    {"cli", "__main__"},
    {"unpacking", "original", "packing"},
    {"api", "compare"},
    {"reader", "load_entries"},
    {"checkpoints", "layouts", "on_device", "nn", "assemble", "report", "inference"},
    {"seeding"},
    {"tasks"},
    {"draft", "encode", "decode_network", "recipe", "options"},
    {"against"},
    {"decode", "grouping"},
    {"decode_sections"},
    {"base_values"},
    {"generated"},
    {"consistency"},
    {"network"},
    {"prototypes", "masks", "tensors", "fill"},
    {"mask", "output", "torch_tensors", "rans", "tiles"},
    {"base"},
    {"opening"},
    {"container"},
    {"bits", "words"},
    {"dtypes", "errors", "progress", "sniff", "kernels", "jobs", "once", "allowance"},
]
SIBLINGS = [{"prototypes", "masks", "tensors"}]
TORCH = {
    "api",
    "packing",
    "original",
    "compare",
    "checkpoints",
    "layouts",
    "load_entries",
    "nn",
    "on_device",
    "torch_tensors",
    "cli",
}


def station(path: Path) -> str:
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Modules that a file imports, relative ones as `.station`."""
    found: set[str] = set()
    depth = len(path.relative_to(PACKAGE).parts)
    tree = ast.parse(path.read_text())
    skipped = {id(n) for node in ast.walk(tree) if _type_checking(node) for n in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
            found.update(f".{name}" for name in names)
    return found


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    level = {name: number for number, names in enumerate(LEVELS) for name in names}
    own = station(path)
    for name in imports(path):
        if not name.startswith(".") or name[1:] in (own, "__version__"):
            continue
        assert level[name[1:]] >= level[own], f"{own} imports {name}"
        assert not any({own, name[1:]} <= siblings for siblings in SIBLINGS), f"{own} imports its sibling {name}"
    if own not in TORCH and not path.name.startswith("torch_"):
        assert "torch" not in imports(path)
    if own == "container":
        assert not {"numpy", "torch"} & imports(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_have_a_docstring_and_one_subject(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "says what it is for"
    assert text.count("\n") <= 320


def modules_after(code: str) -> set[str]:
    command = [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_package_loads_neither_numpy_nor_torch() -> None:
    assert not {"numpy", "torch", "zstandard"} & modules_after("import pemncodec")


def test_inspect_and_verify_never_import_torch(tmp_path: Path) -> None:
    path = tmp_path / "a.pemn"
    path.write_bytes(pemncodec.save(pemncodec.MaskedNetwork()))
    run = "import sys; sys.argv = ['pemn', {!r}, {!r}]; from pemncodec.cli.main import cli; cli(standalone_mode=False)"
    assert not {"numpy", "torch"} & modules_after(run.format("inspect", str(path)))
    after = modules_after(run.format("verify", str(path)))
    assert "torch" not in after
    lazy = f"import pemncodec; f = pemncodec.open({str(path)!r}); f.decoder"
    assert "torch" not in modules_after(lazy)


def test_everything_public_is_there() -> None:
    for name in pemncodec.__all__:
        assert getattr(pemncodec, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pemncodec.nothing  # noqa: B018


def test_the_spec_decoder_does_not_import_the_package() -> None:
    tree = ast.parse((ROOT / "spec" / "decoder.py").read_text())
    names = {a.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "pemncodec" not in names
    assert {name for name in names if name not in sys.stdlib_module_names} == {"numpy", "zstandard"}
