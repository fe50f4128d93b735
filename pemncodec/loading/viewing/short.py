"""The short form of a file for notebooks: the facts, a treemap and a small table, without a script or a style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import PurePath

from ...container.reader import Container
from . import parts
from .facts import in_one_line, layers_of
from .markup import number, share, size, text
from .treemap import treemap

# Rows of the table, and parts of the treemap.
_ROWS, _PARTS = 10, 60


def short_html(container: Container, name: str, task: int | None) -> str:
    """Return a `div` from the manifest alone: nothing is decoded, and numpy is not needed.

    Args:
        container: an opened file.
        name: of the file; of a path the last part is shown.
        task: number of the task; None for all.
    """
    found = parts.sections(container)
    head = f"<p><b>{text(PurePath(name).name)}</b><br>{text(' · '.join(in_one_line(container)), 600)}</p>"
    layers = layers_of(container.manifest, task)
    tasks = container.manifest.tasks
    rows = "".join(
        f'<tr><td style="text-align:left">{text(layer.name)}{_of(layer.task, tasks)}</td>'
        f"<td>{'×'.join(map(str, layer.shape)) or 'scalar'}</td><td>{share(layer.kept, layer.weights)}</td>"
        f"<td>{text(layer.coder)}</td><td>{size(layer.size)}</td></tr>"
        for layer in islice(layers, _ROWS)
    )
    left = sum(1 for _ in layers)
    heads = "".join(f"<th>{label}</th>" for label in ("layer", "shape", "kept", "mask coder", "size"))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    more = f"<p>and {number(left, 'more layer')}</p>" if left else ""
    return f"<div>{head}{treemap(parts.largest(found, _PARTS), 160)}{table}{more}</div>"


def _of(task: int, tasks: Sequence[str]) -> str:
    return f" (task {text(tasks[task - 1])})" if task else ""
