"""Imports that each folder may have, the cost of an import, the size of modules, and the form of docstrings."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pemncodec
from pemncodec import errors

PACKAGE = Path(pemncodec.__file__).parent
ROOT = PACKAGE.parent

# From the top down: a folder imports only what is below it. CONTRIBUTING.md says what each is for.
FOLDERS = (
    "__main__",
    "cli",
    "hub",
    "distributed",
    "packing",
    "loading",
    "checkpoints",
    "coding",
    "nn",
    "packed",
    "network",
    "generators",
    "container",
    "common",
    "errors",
)
# What may import torch, and what not even numpy: `pemn inspect` goes through it.
TORCH = ("cli", "hub", "packing", "distributed", "loading", "checkpoints", "nn", "packed", "common/torch_tensors.py")
BARE = ("container", "errors", "common/dtypes.py", "common/allowance.py", "common/forks.py")


def module_of(path: Path) -> str:
    """The dotted name of a file within the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name != "__init__.py")
MODULES = {module_of(path): path for path in FILES} | {
    "common._kernels": PACKAGE / "common" / "_kernels.c",
    "packed._products": PACKAGE / "packed" / "_products.c",
    "checkpoints.reading._mapping": PACKAGE / "checkpoints" / "reading" / "_mapping.c",
}


def imports(path: Path, *, types: bool = True) -> set[str]:
    """Modules that a file imports: those of the package by their names in it, others by their first name and a colon.

    Args:
        types: also those that only a type checker sees.
    """
    package = path.relative_to(PACKAGE).parent.parts
    tree = ast.parse(path.read_text())
    hidden = set() if types else {id(n) for node in ast.walk(tree) if _type_checking(node) for n in ast.walk(node)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] + ":" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0] + ":")
        elif isinstance(node, ast.ImportFrom):
            base = (*package[: len(package) - node.level + 1], *(node.module or "").split("."))
            module = ".".join(filter(None, base))
            names = {".".join(filter(None, (module, alias.name))) for alias in node.names}
            found |= {name for name in names if name in MODULES} or {module}
    return found


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def test_the_folders_are_those_of_the_plan() -> None:
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__"} == set(FOLDERS)
    assert len(there - {"__init__", "__main__"}) <= 14


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    where = path.relative_to(PACKAGE)
    own = where.parts[0].removesuffix(".py")
    below = FOLDERS[FOLDERS.index(own) :]
    for name in imports(path):
        assert name.endswith(":") or not name or name.split(".")[0] in below, f"{own} imports {name}"
    if not where.as_posix().startswith(TORCH):
        assert "torch:" not in imports(path)
    if where.as_posix().startswith(BARE):
        assert not {"numpy:", "torch:"} & imports(path, types=False)


def test_no_module_imports_itself_by_a_detour() -> None:
    """Not within a folder either, and imports for types count."""
    left = {name: imports(path) & MODULES.keys() for name, path in MODULES.items() if path.suffix == ".py"}
    left |= {name: set() for name, path in MODULES.items() if path.suffix != ".py"}
    while free := {name for name, needed in left.items() if not needed & left.keys() - {name}}:
        for name in free:
            del left[name]
    assert not left


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


def _public() -> Iterator[tuple[str, object]]:
    for name in pemncodec.__all__:
        value = getattr(pemncodec, name)
        yield name, value
        if isinstance(value, type):
            yield from ((f"{name}.{key}", each) for key, each in vars(value).items() if not key.startswith("_"))


def test_errors_that_public_docstrings_name_are_public() -> None:
    named: set[str] = set()
    for where, value in _public():
        _, _, raises = (inspect.getdoc(value) or "").partition("Raises:\n")
        section = raises.partition("\n\n")[0]
        found = re.findall(r"^    ([A-Z][\w, \n]*?):", section, re.MULTILINE)
        assert found or not raises, f"{where}: what is raised is not seen here"
        named.update(name for names in found for name in re.split(r"[,\s]+", names))
    assert {"OutputExistsError", "NotFoundError", "BaseFileError", "UnsafeCheckpointError", "MismatchError"} <= named
    for name in named:
        kind = getattr(pemncodec, name, None) or getattr(builtins, name)
        assert issubclass(kind, Exception), name


def test_every_error_is_public() -> None:
    kinds = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__
    }
    assert kinds == set(errors.__all__)
    assert kinds <= set(pemncodec.__all__)
    assert all(issubclass(getattr(errors, name), (pemncodec.PemnError, Warning)) for name in kinds)


def test_the_spec_decoder_does_not_import_the_package() -> None:
    tree = ast.parse((ROOT / "spec" / "decoder.py").read_text())
    names = {a.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "pemncodec" not in names
    assert {name for name in names if name not in sys.stdlib_module_names} == {"numpy", "zstandard"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_docstrings_say_what_comes_back(path: Path) -> None:
    """The first line is an imperative or a noun phrase, no question."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node) or ""
            assert not re.match(r"(What|Whether|Which|Where|How)\b", text), text.partition("\n")[0]
