"""Tables of cases: a text file beside each module of cases, one vector a line.

    == class :: prefix :: section :: content :: loop :: options
    name :: reason :: arguments :: loop or options
    + rows

A line with two equals signs begins a group of invalid vectors of one error class. The names of its lines follow the
prefix, their reasons the section. `content` is an expression for the file or the bytes of a vector, in which `@`
stands for the arguments of a line; an empty one is `@` alone. It may be a `Valid` as well, whose base is that of the
vector. A loop is the `for` of a comprehension: of a group, all its lines are made for each turn; a condition (`if …`)
is a loop of one turn or none. Options are keywords of `Row`, those of a line after those of its group. A line with a
plus sign stands for rows that an expression yields. A line with three begins a part, all of whose groups are made for
each turn of its loop. In a group of the class `valid`, whose section is empty, a line is a valid vector: its name,
what is unusual about it, and the arguments of what makes its `Valid`.

Names, reasons and sections are f-strings. All expressions are Python, with what the module beside the table defines,
what the modules `COMMON` do, the other modules of cases by their names, and the variables of the loops. Columns at the
end may be absent. A line that begins with `from` imports names. Lines that begin with two spaces go on with the line
before; those that begin with a number sign are comments.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from cases.rows import Row
from cases.valid import Valid, case

Scope = dict[str, Any]
COMMON = ("writer.coders", "writer.ids", "writer.writer", "cases.content", "cases.files", "cases.rows", "cases.valid")


def lines(path: Path) -> list[str]:
    """Return the lines of a table without comments, continued ones in one."""
    found: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            found[-1] += " " + line.strip()
        elif line and not line.startswith("#"):
            found.append(line)
    return found


def columns(line: str, count: int) -> list[str]:
    """Return so many columns of a line, empty ones for those that are absent."""
    found = [column.strip() for column in re.split(r"(?<=\s)::(?=\s)", f" {line} ")]
    if len(found) > count:
        raise ValueError(f"more than {count} columns: {line}")
    return found + [""] * (count - len(found))


def turns(loop: str, scope: Scope) -> Iterator[Scope]:
    """Yield the scope of each turn of a loop, or once the scope without one."""
    if not loop:
        yield scope
        return
    loop = f"for _ in [0] {loop}" if loop.startswith("if ") else loop
    tree = ast.parse(f"[0 {loop}]", mode="eval").body
    assert isinstance(tree, ast.ListComp)
    nodes = [node for part in tree.generators for node in ast.walk(part.target)]
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    for values in eval(f"[({', '.join(names)},) {loop}]", scope):
        yield scope | dict(zip(names, values, strict=True))


def text(template: str, scope: Scope) -> str:
    """Return an f-string with its values."""
    return str(eval(f"f{template!r}", scope))


@cache
def groups(name: str) -> list[tuple[list[str], list[str], Scope]]:
    """Return the groups of the table beside a module: columns of the first line, other lines, names of the module."""
    scope = dict(vars(import_module("cases")))
    for module in (*COMMON, f"cases.{name}"):
        scope |= vars(import_module(module))
    parts: list[tuple[str, list[tuple[list[str], list[str]]]]] = [("", [])]
    for line in lines(Path(__file__).with_name(f"{name}.txt")):
        if line.startswith("from "):
            exec(line, scope)
        elif line.startswith("==="):
            parts.append((line[3:].strip(), []))
        elif line.startswith("== "):
            parts[-1][1].append((columns(line[3:], 6), []))
        else:
            parts[-1][1][-1][1].append(line)
    return [(head, rows, turn) for loop, part in parts for turn in turns(loop, scope) for head, rows in part]


def vectors(head: list[str], rows: list[str], scope: Scope) -> Iterator[tuple[str, str, str, str, Scope]]:
    """Yield the name, the reason, the expression and the options of each vector of a group, with their scope."""
    _, prefix, section, content, loop, shared = head
    for outer in turns(loop, scope):
        for line in rows:
            if line.startswith("+ "):
                yield "", "", line[2:], "", outer
                continue
            name, reason, arguments, last = columns(line, 4)
            is_loop = last.startswith(("for ", "if "))
            options = ", ".join(filter(None, (shared, "" if is_loop else last)))
            why = ": ".join(filter(None, (section, reason)))
            expression = (content or "@").replace("@", arguments)
            for turn in turns(last if is_loop else "", outer):
                yield text(prefix + name, turn), text(why, turn), expression, options, turn


def register(name: str) -> None:
    """Register the valid vectors of a table."""
    for group in groups(name):
        for vector, about, expression, _, scope in vectors(*group) if group[0][0] == "valid" else ():
            case(vector, about)(partial(eval, expression, scope))


@cache
def table(name: str) -> dict[str, Row]:
    """Return the invalid vectors of a table by name."""
    found = {}
    for head, rows, names in groups(name):
        for vector, reason, expression, options, scope in vectors(head, rows, names) if head[0] != "valid" else ():
            try:
                made, fields = eval(expression, scope), eval(f"dict({options})", scope)
            except Exception as failure:
                raise ValueError(f"in {vector}, {expression!r}: {failure!r}") from failure
            if isinstance(made, Valid):
                fields, made = {"base": made.base and f"../valid/{made.base}.pemn"} | fields, made.file
            for row in [Row(vector, head[0], reason, made, **fields)] if vector else made:
                if row.name in found:
                    raise ValueError(f"two invalid vectors have the name {row.name}")
                found[row.name] = row
    return found
