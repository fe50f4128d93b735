"""`pemn pack`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import CheckpointError, NetworkError
from ..options import TENSOR_DTYPES, InferenceOptions, PackOptions
from ..report import PackReport
from . import common, show
from .target import target

if TYPE_CHECKING:
    from ..compare import Comparison


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
@click.option(
    "--key", metavar="NAME", help="Where in the checkpoint the state_dict is, if not in one of the usual places."
)
@click.option("--metadata", "pairs", multiple=True, metavar="KEY=VALUE", help="Stored in the file; may be repeated.")
@click.option(
    "--fold-batchnorm",
    is_flag=True,
    help="Lossy, for inference: fold running statistics into weight and bias; stock networks take the file as before.",
)
@click.option(
    "--batchnorm-eps",
    type=float,
    metavar="EPS",
    help="For --fold-batchnorm: the eps of all BatchNorms (default: 1e-05, as in PyTorch).",
)
@click.option(
    "--tensor-dtype",
    type=click.Choice(TENSOR_DTYPES),
    help="Lossy: round float32 and float64 tensors without a mask.",
)
@click.option(
    "--base",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Pack as a delta against this .pemn file, which is needed to read it; again for what that one needs itself.",
)
@common.force
@common.quiet
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
    key: str | None,
    pairs: tuple[str, ...],
    fold_batchnorm: bool,
    batchnorm_eps: float | None,
    tensor_dtype: str | None,
    base: tuple[Path, ...],
    force: bool,
    quiet: bool,
    unsafe_pickle: bool,
) -> None:
    """Pack CHECKPOINT (.pt, .pth, .safetensors) into a .pemn file, and verify it before it is written."""
    # What is wrong with the command itself is said before torch is imported.
    options = PackOptions(keep, key)
    if batchnorm_eps is not None and not fold_batchnorm:
        raise click.UsageError("--batchnorm-eps says how to fold: give --fold-batchnorm, too")
    conversions = InferenceOptions(fold_batchnorm, batchnorm_eps, tensor_dtype)
    path = target(output, output_option, checkpoint, ".pemn", force, base)
    metadata = dict(_pair(pair) for pair in pairs)

    from ..checkpoints import draft_of
    from ..checkpoints.loading import load_checkpoint
    from ..compare import compare
    from ..inference import convert
    from ..output import whole_file
    from ..packing import pack_draft

    source = load_checkpoint(checkpoint, unsafe=unsafe_pickle)
    before = checkpoint.stat().st_size
    try:
        draft = convert(draft_of(source, options), conversions)
        with whole_file(path, overwrite=force) as temporary:
            with show.progress_bar("packing", quiet) as progress:
                encoded, report = pack_draft(
                    draft, metadata=metadata, progress=progress, folder=temporary.parent, base=base
                )
            encoded.write(temporary)
            with show.progress_bar("verifying", quiet) as progress:
                comparison = compare(temporary, draft, base=base, progress=progress)
    except (CheckpointError, NetworkError) as reason:
        raise type(reason)(f"{checkpoint}: {reason}") from None
    if not quiet:
        show.lines(_lines(checkpoint, before, path, report, comparison))


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--metadata")
    return key, value


def _lines(checkpoint: Path, before: int, packed: Path, report: PackReport, comparison: Comparison) -> list[str]:
    sizes = report.sizes
    rule = report.mask_rule if report.keep is None else f"{report.mask_rule}, keep {report.keep:g} of every layer"
    lines = [f"{checkpoint}: {report.layout}, {show.count(report.layers, 'masked layer')}"]
    if report.layers:
        lines[0] += f" of {sizes.masked_weights:,} weights"
    lines.append(f"mask rule: {rule}")
    lines += [f"found: {line}" for line in report.findings]
    lines += [f"note: {line}" for line in report.notes]
    lines += [f"converted: {line}" for line in report.conversions]
    if report.dropped:
        lines.append(f"left out: {', '.join(report.dropped)}")
    dense = sizes.decoded
    lines.append(
        f"{packed}: {show.size(sizes.total)}, {show.ratio(before, sizes.total)} than the checkpoint "
        f"({show.size(before)}), {show.ratio(dense, sizes.total)} than its dense tensors ({show.size(dense)})"
    )
    lines += show.parts(sizes.parts())
    if sizes.masked_weights:
        lines.append(show.bits_per_weight(sizes))
    after = "after conversion, " if report.conversions else ""
    lines.append(f"verified: {after}every tensor ({comparison.tensors}) decodes {comparison}")
    return lines
