"""`pemn pack`."""

from __future__ import annotations

from pathlib import Path

import click

from ..options import PackOptions
from ..report import PackReport
from . import show
from .target import target


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    "output_option",
    type=click.Path(path_type=Path),
    help="Where to write (default: CHECKPOINT with .pemn).",
)
@click.option(
    "--keep",
    type=float,
    metavar="K",
    help="Fraction of weights that edge-popup keeps, in (0, 1]; for checkpoints with scores.",
)
@click.option("--metadata", "pairs", multiple=True, metavar="KEY=VALUE", help="Stored in the file; may be repeated.")
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing output.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
@click.option(
    "--unsafe-pickle",
    is_flag=True,
    help="Read a checkpoint that carries more than tensors. Runs its code: only for files you trust.",
)
def pack(
    checkpoint: Path,
    output: Path | None,
    output_option: Path | None,
    keep: float | None,
    pairs: tuple[str, ...],
    force: bool,
    quiet: bool,
    unsafe_pickle: bool,
) -> None:
    """Pack CHECKPOINT (.pt, .pth, .safetensors) into a .pemn file, and verify it before it is written."""
    # What is wrong with the command itself is said before torch is imported.
    PackOptions(keep)
    path = target(output, output_option, checkpoint, ".pemn", force)
    metadata = dict(_pair(pair) for pair in pairs)

    from ..api import pack as pack_bytes
    from ..checkpoints.loading import load_checkpoint
    from ..compare import compare
    from ..output import write_whole

    source = load_checkpoint(checkpoint, unsafe=unsafe_pickle)
    with show.progress_bar("packing", quiet) as progress:
        data, report = pack_bytes(source, keep=keep, metadata=metadata, progress=progress)
    with show.progress_bar("verifying", quiet) as progress:
        tensors = compare(data, source, keep=keep, progress=progress)
    write_whole(path, data, overwrite=force)
    if not quiet:
        _print(checkpoint, path, report, tensors)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--metadata")
    return key, value


def _print(checkpoint: Path, packed: Path, report: PackReport, tensors: int) -> None:
    sizes = report.sizes
    rule = report.mask_rule if report.keep is None else f"{report.mask_rule}, keep {report.keep:g} of every layer"
    lines = [f"{checkpoint}: {report.layout}, {report.layers} masked layers of {sizes.masked_weights:,} weights"]
    lines.append(f"mask rule: {rule}")
    lines += [f"found: {line}" for line in report.findings]
    lines += [f"note: {line}" for line in report.notes]
    if report.dropped:
        lines.append(f"left out: {', '.join(report.dropped)}")
    before, dense = checkpoint.stat().st_size, sizes.decoded
    lines.append(
        f"{packed}: {show.size(sizes.total)}, {before / sizes.total:.1f} × smaller than the checkpoint "
        f"({show.size(before)}), {dense / sizes.total:.1f} × than its dense tensors ({show.size(dense)})"
    )
    lines += show.parts(sizes.parts())
    if sizes.masked_weights:
        lines.append(show.bits_per_weight(sizes))
    lines.append(f"verified: all {tensors} tensors decode bit for bit")
    click.echo("\n".join(lines))
