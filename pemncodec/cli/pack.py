"""`pemn pack`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ..checkpoints.options import PackOptions
from ..container.ranges import is_url
from ..errors.quoting import quoted
from ..packing.options import DEFAULT_TRIED, InferenceOptions, Seeding, Storing
from ..packing.report import PackReport
from . import checkpoint_options, endpoints, file_options, show
from .derived import options_of
from .endpoints import size_of
from .output_path import refuse_pipe, refuse_shard, same_file, shard, target

# Lines of what was found, and characters of a note, that are printed without --verbose.
_MOST_LINES, _LONGEST = 64, 1_000


class _Pack(click.Command):
    """`--find-seed` takes a number if one follows, but not a file name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        plain = args.index("--") if "--" in args else len(args)
        for place in range(plain):
            following = args[place + 1 : place + 2]
            if args[place] == "--find-seed" and not (following and following[0].removeprefix("-").isdigit()):
                args[place] = f"--find-seed={DEFAULT_TRIED}"
        return super().parse_args(ctx, args)


@click.command(cls=_Pack)
@click.argument("checkpoint", type=endpoints.FILE, required=False)
@click.argument("output", type=endpoints.FILE, required=False)
@click.option(
    "-o",
    "--output",
    "output_option",
    type=endpoints.FILE,
    help="Output file, URL, or - for standard output (default: CHECKPOINT with the suffix .pemn).",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME=FILE",
    help="Checkpoint of one task, instead of CHECKPOINT; repeat for several tasks over one network.",
)
@click.option("--add-to", type=click.Path(path_type=Path), metavar="FILE", help="Add the tasks to this .pemn file.")
@options_of(Seeding)
@file_options.base
@checkpoint_options.options
@options_of(PackOptions, "strip_prefix")
@click.option(
    "--metadata", "pairs", multiple=True, metavar="KEY=VALUE", help="Metadata to store in the file; may be repeated."
)
@click.option(
    "--include",
    multiple=True,
    metavar="PATTERN",
    help="Keep the files of the folder CHECKPOINT that match, such as 'config.json', as they are; may be repeated.",
)
@options_of(InferenceOptions)
@options_of(Storing)
@file_options.max_bytes
@file_options.force
@file_options.quiet
@click.option("-v", "--verbose", is_flag=True, help="Print why this family was chosen, and everything that was found.")
def pack(
    checkpoint: Path | str | None,
    output: Path | str | None,
    output_option: Path | str | None,
    tasks: tuple[str, ...],
    add_to: Path | None,
    torch_seed: int | None,
    find_seed: int | None,
    base: tuple[Path | str, ...],
    pairs: tuple[str, ...],
    include: tuple[str, ...],
    fold_batchnorm: bool,
    batchnorm_eps: float | None,
    tensor_dtype: str | None,
    seekable: bool,
    max_bytes: int,
    force: bool,
    quiet: bool,
    verbose: bool,
    **arguments: Any,
) -> None:
    """Pack CHECKPOINT (.pt, .pth, .safetensors, or a folder) into a .pemn file, and verify it before it is written.

    A .pemn file, or its URL, is packed again: masks, prototypes and tasks stay what they are.
    """
    # Errors in the command line are reported before torch is imported.
    how = checkpoint_options.read(**arguments)
    seeding = Seeding(torch_seed, find_seed or 0)
    if batchnorm_eps is not None and not fold_batchnorm:
        raise click.UsageError("--batchnorm-eps requires --fold-batchnorm")
    if include and tasks:
        raise click.UsageError("--include requires one CHECKPOINT, a folder, not tasks")
    conversions = InferenceOptions(fold_batchnorm, batchnorm_eps, tensor_dtype)
    inputs = [one for one in (how.masks, how.backbone, arguments["keep_from"]) if one is not None]
    sources, path = _sources(checkpoint, output, output_option, tasks, add_to, force, inputs)
    quiet = quiet or path == endpoints.STANDARD
    sources = {name: endpoints.on_disk(source) for name, source in sources.items()}
    on_disk = [source for source in sources.values() if isinstance(source, Path)]
    for one in [*on_disk, how.masks, how.backbone]:
        if one is not None:
            refuse_pipe(one)
    for one in on_disk:
        refuse_shard(one, how.options.family)
    metadata = dict(_pair(pair, "--metadata") for pair in pairs)

    from ..packing.job import Job, NetworkFile
    from ..packing.output import Output
    from ..packing.pack import named, pack_to_file

    before = size_of(add_to) if add_to is not None and add_to.exists() else 0  # it may be replaced
    job = Job(
        sources={
            name: how.file(source, max_bytes) if isinstance(source, Path) else NetworkFile(source, max_bytes)
            for name, source in sources.items()
        },
        reading=how.options,
        masks=None if how.masks is None else how.file(how.masks, max_bytes),
        backbone=None if how.backbone is None else how.file(how.backbone, max_bytes),
        seeding=seeding,
        lossy=conversions,
        storing=Storing(seekable),
        metadata=metadata,
        base=base,
        add_to=add_to,
        max_bytes=max_bytes,
        include=include,
    )
    into: Output = sys.stdout.buffer if path == endpoints.STANDARD else path
    report = pack_to_file(job, into, overwrite=force, stages=lambda stage: show.progress_bar(stage, quiet))
    before += sum(map(size_of, sources.values()))
    report.notes.extend(_shards(on_disk))
    if not quiet:
        what = "the checkpoint" if len(sources) == 1 and add_to is None else "the inputs"
        show.lines(_lines(named(list(sources.values())), what, before, path, report, verbose))


def _sources(
    checkpoint: Path | str | None,
    output: Path | str | None,
    output_option: Path | str | None,
    tasks: tuple[str, ...],
    add_to: Path | None,
    force: bool,
    inputs: list[Path],
) -> tuple[dict[str, Path | str], Path | str]:
    """Checkpoints by the name of their task (`""` for a single network), and where to write."""
    if not tasks:
        if checkpoint is None:
            raise click.UsageError("name a checkpoint, or one for each task (--task NAME=FILE)")
        if add_to is not None:
            raise click.UsageError("--add-to adds tasks to a file: name them with --task NAME=FILE")
        return {"": checkpoint}, target(output, output_option, checkpoint, ".pemn", force, inputs=inputs)
    if checkpoint is not None:
        raise click.UsageError(
            "--task takes no other arguments: name checkpoints with --task NAME=FILE, the output with -o FILE"
        )
    if output_option is None:
        raise click.UsageError("name the output of several tasks: -o FILE.pemn")
    sources: dict[str, Path | str] = {}
    for text in tasks:
        name, file = _pair(text, "--task")
        if name in sources:
            raise click.BadParameter(f"{quoted(name)} is named twice", param_hint="--task")
        sources[name] = file if is_url(file) else Path(file)
    if add_to is not None and isinstance(output_option, Path) and same_file(output_option, add_to) and not force:
        raise click.UsageError(f"{add_to} would be replaced: use --force, or name another output")
    for source in sources.values():
        target(None, output_option, source, ".pemn", force, inputs=inputs)  # which is none of them
    return sources, output_option


def _pair(text: str, option: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        what = "KEY=VALUE" if option == "--metadata" else "NAME=FILE"
        raise click.BadParameter(f"{quoted(text)} is not {what}", param_hint=option)
    return key, value


def _shards(sources: Iterable[Path]) -> list[str]:
    """A note for each source that is only a part of a network."""
    found = [(path, shard(path)) for path in sources]
    return [
        f"{path.name} is shard {of[0]} of {of[1]}: the file holds a part of the network" for path, of in found if of
    ]


def _rule(report: PackReport) -> str:
    if report.threshold is not None:
        return f"{report.mask_rule}, kept above {report.threshold:g}"
    if isinstance(report.keep, dict):
        return f"{report.mask_rule}, keep " + ", ".join(f"{pattern} {k:g}" for pattern, k in report.keep.items())
    return report.mask_rule if report.keep is None else f"{report.mask_rule}, keep {report.keep:g} of every layer"


def _some(lines: list[str], verbose: bool) -> list[str]:
    """All lines of most networks, the first ones of those with very many layers."""
    if verbose or len(lines) <= _MOST_LINES:
        return lines
    return [*lines[:_MOST_LINES], f"… and {len(lines) - _MOST_LINES} more lines: --verbose prints them"]


def _shortened(line: str, verbose: bool) -> str:
    """A line that names very many layers, cut unless all is wanted."""
    return line if verbose or len(line) <= _LONGEST else f"{line[:_LONGEST]} … (--verbose prints all)"


def _lines(
    called: str,
    what: str,
    before: int,
    packed: Path | str,
    report: PackReport,
    verbose: bool,
) -> list[str]:
    sizes = report.sizes
    lines = [f"{called}: {report.family}, {show.count(report.layers, 'masked layer')}"]
    if report.layers:
        lines[0] += f" of {sizes.masked_weights:,} weights"
    if report.tasks:
        lines.append(_shortened(f"tasks: {', '.join(report.tasks)}", verbose))
    if report.mask_rule:
        lines.append(f"mask rule: {_rule(report)}")
    if verbose:
        lines += [f"because: {line}" for line in report.reasons]
    lines += [f"found: {_shortened(line, verbose)}" for line in _some(report.findings, verbose)]
    lines += [f"note: {_shortened(line, verbose)}" for line in report.notes]
    lines += [f"converted: {line}" for line in report.conversions]
    if report.dropped:
        lines.append(_shortened(f"left out: {', '.join(report.dropped)}", verbose))
    dense = sizes.decoded
    lines.append(
        f"{packed}: {show.size(sizes.total)}, {show.ratio(before, sizes.total)} than {what} "
        f"({show.size(before)}), {show.ratio(dense, sizes.total)} than its dense tensors ({show.size(dense)})"
    )
    lines += show.parts(sizes.parts())
    if sizes.masked_weights:
        lines.append(show.bits_per_weight(sizes))
    after = "after conversion, " if report.conversions else ""
    if report.comparison is not None:
        lines.append(f"verified: {after}every tensor ({report.comparison.tensors}) decodes {report.comparison}")
    lines += [f"compared: {one}" for one in report.rechecked]
    return lines
