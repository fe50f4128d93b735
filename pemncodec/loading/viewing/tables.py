"""The tables of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .facts import LayerFacts, TensorFacts
from .markup import NAME, VALUE, share, size, text
from .parts import COLOURS

# Characters of a name that stays on one line.
_SHORT = 40
ABOUT = (
    '<p class="note">Bits a weight: of the mask. Floor: log2 C(n, kept) / n, what a mask of n bits with so many ones '
    "takes if its order is random. A size with ≈ is the share of a block that holds several tensors.</p>"
)


def of_kinds(found: dict[str, int], total: int) -> str:
    """Bytes of each kind of part, and their sum."""
    rows = "".join(
        f'<tr><td><svg class="dot" width="11" height="11"><rect width="11" height="11" fill="{COLOURS[kind]}"/></svg>'
        f"{_PARTS.get(kind, kind)}</td>{_number(count, size(count))}{_number(count, share(count, total))}</tr>"
        for kind, count in found.items()
        if count
    )
    whole = sum(found.values())
    last = f"<tr><th>file</th>{_number(whole, size(whole))}{_number(whole, share(whole, total))}</tr>"
    return f'<table class="parts"><tbody>{rows}{last}</tbody></table>'


_PARTS = {"manifest": "header, manifest and checksums"}


def of_layers(layers: Iterable[LayerFacts], tasks: Sequence[str]) -> str:
    """A row for each masked layer."""
    heads = [("layer", ""), *([("task", "")] if tasks else []), ("shape", "n"), ("type", ""), ("kept", "n")]
    heads += [("mask coder", ""), ("mask", "n"), ("bits a weight", "n"), ("floor", "n"), ("kept values", "n")]
    heads += [("a zero bit stands for", ""), ("a one bit for", "")]
    rows = []
    for layer in layers:
        weights = max(layer.weights, 1)
        bits, floor = 8 * layer.mask_bytes / weights, layer.floor / weights
        approximate = "≈ " if layer.shared else ""
        values = f"{approximate}{size(layer.value_bytes)}" if layer.value_bytes else "–"
        rows.append(
            f'<tr data-t="{layer.task}">{_name(layer.name)}{_task(layer.task, tasks)}'
            f"{_shape(layer.shape, layer.weights)}<td>{layer.dtype}</td>"
            f"{_number(layer.kept / weights, f'{100 * layer.kept / weights:.2f} %')}<td>{text(layer.coder)}</td>"
            f"{_number(layer.mask_bytes, size(layer.mask_bytes))}{_number(bits, f'{bits:.4f}')}"
            f"{_number(floor, f'{floor:.4f}')}{_number(layer.value_bytes, values)}"
            f"<td>{text(layer.zero)}</td><td>{text(layer.filled)}</td></tr>"
        )
    return _table(heads, rows)


def of_tensors(tensors: Iterable[TensorFacts], tasks: Sequence[str]) -> str:
    """A row for each tensor without a mask."""
    heads = [
        ("tensor", ""),
        *([("task", "")] if tasks else []),
        ("shape", "n"),
        ("type", ""),
        ("coder", ""),
        ("size", "n"),
    ]
    rows = []
    for tensor in tensors:
        count = 1
        for side in tensor.shape:
            count *= side
        how = f"tied to {text(tensor.tied)}" if tensor.tied is not None else text(tensor.coder)
        shown = "–" if tensor.tied is not None else ("≈ " if tensor.shared else "") + size(tensor.size)
        rows.append(
            f'<tr data-t="{tensor.task}">{_name(tensor.name)}{_task(tensor.task, tasks)}'
            f"{_shape(tensor.shape, count)}<td>{tensor.dtype}</td><td>{how}</td>{_number(tensor.size, shown)}</tr>"
        )
    return _table(heads, rows)


def of_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Keys and values."""
    rows = "".join(f'<tr><td class="key">{text(key)}</td><td>{text(value, VALUE)}</td></tr>' for key, value in pairs)
    return f'<div class="scroll"><table><tbody>{rows}</tbody></table></div>'


def _table(heads: Iterable[tuple[str, str]], rows: Iterable[str]) -> str:
    head = "".join(f'<th class="{kind}">{name}</th>' if kind else f"<th>{name}</th>" for name, kind in heads)
    body = "\n".join(rows)
    table = f'<table class="sortable wide"><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def _name(name: str) -> str:
    """A cell that is as wide as a short name, and breaks a long one."""
    shown = text(name)
    return f'<td class="long">{shown}</td>' if len(shown) > _SHORT else f"<td>{shown}</td>"


def _number(value: float, shown: str) -> str:
    return f'<td class="n" data-v="{value:.10g}">{shown}</td>'


def _shape(shape: tuple[int, ...], count: int) -> str:
    return _number(count, text("×".join(map(str, shape)) or "scalar"))


def _task(task: int, tasks: Sequence[str]) -> str:
    if not tasks:
        return ""
    return f"<td>{text(tasks[task - 1], NAME // 3) if task else 'all'}</td>"
