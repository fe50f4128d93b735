"""A file as one page of HTML that needs nothing else: no network, no fonts, and no script for its facts."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from heapq import nlargest
from importlib.resources import files
from itertools import islice
from typing import TypeVar

from ...coding.decoder import Decoder
from ...common import bits
from ...common.progress import Progress, silent
from ...container.manifest.rows import BASE_KEY, ValuesRow
from ...errors import BaseFileError
from . import parts, tables
from .facts import LayerFacts, in_one_line, layers_of, prototype_text, tensors_of
from .histogram import histogram
from .markup import VALUE, text
from .pictures import Picture, picture
from .treemap import treemap

T = TypeVar("T")
# The most of each that a page has.
_LAYERS, _TENSORS, _PROTOTYPES, _METADATA, _TASKS, _PARTS = 500, 500, 12, 100, 1_000, 160
# Bytes of the pixels of all pictures before compression, and the least and the most of one.
_PICTURES, _LEAST, _MOST = 900_000, 512, 8_192
# Pixels of the page that a picture is wide or high.
_SHOWN, _THIN = 200, 12


def page(
    decoder: Decoder, name: str, *, task: int | None = None, bases: bool = True, progress: Progress = silent
) -> str:
    """Return the page. Every checksum of the file is checked, and what is shown is decoded, one section at a time.

    Args:
        decoder: of the file.
        name: of the file, as it is shown.
        task: number of the task whose layers are shown; None for all.
        bases: whether bases were given. Without them, the page of a delta lacks the pictures that need one.
        progress: called with (done, total, name).

    Raises:
        FormatError, BaseFileError: the file is damaged, or cannot be decoded.
    """
    container, manifest = decoder.container, decoder.manifest
    for _ in container.check_pages():
        pass
    layers, more_layers = _largest(layers_of(manifest, task), _LAYERS, lambda layer: layer.size)
    tensors, more_tensors = _largest(tensors_of(manifest, task), _TENSORS, lambda tensor: tensor.size)
    tasks = manifest.tasks if task is None else ()
    lacking = manifest.base is not None and not bases
    found = parts.sections(container)
    body = [
        f"<h1>{text(name)}</h1>",
        f'<p class="facts">{text(" · ".join(in_one_line(container)), 1_000)}</p>',
        _delta(manifest.base, lacking),
        _chooser(tasks) if task is None else f"<p>Task: {text(manifest.tasks[task - 1])}</p>" if task else "",
        "<h2>Bytes by part</h2>",
        treemap(parts.largest(found, _PARTS), 340),
        tables.of_kinds(parts.by_kind(found), container.header.file_size),
    ]
    if layers:
        body += [
            "<h2>Masked layers</h2>",
            tables.of_layers(layers, tasks),
            _more(more_layers, "smaller layer"),
            tables.ABOUT,
        ]
        body += ["<h2>Masks</h2>", *_masks(decoder, layers, tasks, lacking, progress)]
    if manifest.prototypes:
        body += ["<h2>Prototypes</h2>", '<div class="prototypes">']
        body += [*_prototypes(decoder, lacking), "</div>"]
        body.append(_more(len(manifest.prototypes) - _PROTOTYPES, "prototype"))
    if tensors:
        body += ["<h2>Other tensors</h2>", tables.of_tensors(tensors, tasks), _more(more_tensors, "smaller tensor")]
    metadata = [(key, value) for key, value in manifest.metadata.items() if key != BASE_KEY or manifest.base is None]
    if metadata:
        body += ["<h2>Metadata</h2>", tables.of_pairs(metadata[:_METADATA])]
        body.append(_more(len(metadata) - _METADATA, "entry", "entries"))
    progress(1, 1, "")
    return _document(name, body)


def _document(name: str, body: Iterable[str]) -> str:
    here = files(__package__)
    style, script = (here.joinpath(file).read_text(encoding="utf-8") for file in ("page.css", "page.js"))
    hashes = [b64encode(sha256(part.encode()).digest()).decode() for part in (style, script)]
    # Even if a name became markup, a browser would run nothing, and ask no other machine for anything.
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'"
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{text(name)}</title>\n<style>{style}</style>\n</head>\n<body>",
            *filter(None, body),
            f"<script>{script}</script>\n</body>\n</html>\n",
        )
    )


def _largest(rows: Iterable[T], most: int, bytes_of: Callable[[T], int]) -> tuple[list[T], int]:
    """The rows of most bytes, in the order of the file, and how many more there are."""
    counted = enumerate(rows)
    first = list(islice(counted, most))
    total = len(first)

    def rest() -> Iterator[tuple[int, T]]:
        nonlocal total
        for row in counted:
            total += 1
            yield row

    chosen = nlargest(most, _chained(first, rest()), key=lambda row: bytes_of(row[1]))
    return [row for _, row in sorted(chosen, key=lambda row: row[0])], total - len(chosen)


def _chained(first: Iterable[T], then: Iterable[T]) -> Iterator[T]:
    yield from first
    yield from then


def _more(count: int, what: str, many: str | None = None) -> str:
    if count <= 0:
        return ""
    shown = what if count == 1 else many or what + "s"
    return f'<p class="note">{count:,} more {shown} of the file {"is" if count == 1 else "are"} not shown.</p>'


def _delta(base: str | None, lacking: bool) -> str:
    if base is None:
        return ""
    without = " Without it (--base), what is stored as differences is not shown here." if lacking else ""
    return f"<p>A delta: it holds differences from its base, SHA-256 {text(base)}.{without}</p>"


def _chooser(tasks: Sequence[str]) -> str:
    if not tasks:
        return ""
    options = "".join(f'<option value="{i}">{text(name)}</option>' for i, name in enumerate(tasks[:_TASKS], 1))
    listed = f"Tasks: {text(', '.join(tasks), VALUE)}"
    more = " Show others with --task." if len(tasks) > _TASKS else ""
    return (
        f'<p>{listed}</p><p hidden><label for="task">Show the task </label><select id="task">'
        f'<option value="">all of them</option>{options}</select>{more}</p>'
    )


def _masks(
    decoder: Decoder, layers: Sequence[LayerFacts], tasks: Sequence[str], lacking: bool, progress: Progress
) -> Iterator[str]:
    budget = min(max(_PICTURES // len(layers), _LEAST), _MOST)
    yield '<p class="note">A row for each output, a pixel for each weight if they fit. Blue is kept. Click to zoom.</p>'
    yield '<div class="masks">'
    for done, layer in enumerate(layers):
        progress(done, len(layers), layer.name)
        decoder.begin()
        made: Picture | None = None
        if layer.weights:
            with _lenient(lacking):
                made = picture(decoder.bits(layer.index), layer.shape, budget)
        yield _figure(layer, made, tasks[layer.task - 1] if tasks and layer.task else "")
    yield "</div>"


def _lenient(lacking: bool) -> suppress:
    """Let what needs a base be missing, if none was given."""
    return suppress(*[BaseFileError] * lacking)


def _figure(layer: LayerFacts, made: Picture | None, task: str) -> str:
    kept = f"{100 * layer.kept / layer.weights:.2f} % of {layer.weights:,} kept" if layer.weights else "empty"
    if made is None:
        image, how = "", "not shown: it needs the base" if layer.weights else "no weights"
    else:
        how = f"{made.rows:,} × {made.columns:,}"
        if not made.exact:
            high, wide = made.rows / made.height, made.columns / made.width
            how += f", in cells of about {high:.3g} × {wide:.3g}; darkest: {100 * made.peak:.3g} %"
        scale = _SHOWN / max(made.width, made.height)
        width, height = (max(round(side * scale), _THIN) for side in (made.width, made.height))
        about = f"Mask of {text(layer.name)}: {kept}, {how}."
        image = (
            f'<img src="{made.uri}" width="{width}" height="{height}" alt="{about}" '
            f'data-entry="{layer.index}" data-exact="{int(made.exact)}">'
        )
    which = f"task {text(task)}<br>" if task else ""
    caption = f"<figcaption><b>{text(layer.name)}</b>{which}{kept}<br>{how}</figcaption>"
    return f'<figure data-t="{layer.task}">{image}{caption}</figure>'


def _prototypes(decoder: Decoder, lacking: bool) -> Iterator[str]:
    manifest = decoder.manifest
    for index, row in enumerate(manifest.prototypes[:_PROTOTYPES]):
        decoder.begin()
        drawn = '<p class="note">Not shown: it needs the base.</p>'
        with _lenient(lacking):
            words = decoder.prototype(index)
            if isinstance(row, ValuesRow) and row.presence is not None:
                words = words[bits.unpack(decoder.mask(row.presence), row.length)]
            drawn = histogram(words, manifest.prototype_dtype(index))
        yield f"<div><p>Prototype {index}: {text(prototype_text(manifest, index), 300)}</p>{drawn}</div>"
