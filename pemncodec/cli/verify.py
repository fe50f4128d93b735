"""`pemn verify`: decode everything and check every rule, or compare with a checkpoint."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import CheckpointError, MaskRuleError, MismatchError
from ..options import PackOptions
from . import common, show


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="CHECKPOINT",
    help="Also compare every tensor with this checkpoint, bit for bit.",
)
@click.option(
    "--keep",
    type=float,
    metavar="K",
    help="For --against: fraction of weights that edge-popup keeps (default: as FILE says).",
)
@click.option("--key", metavar="NAME", help="For --against: where in the checkpoint the state_dict is.")
@click.option("--task", help="For --against: which task, where the file holds several.")
@common.base
@common.max_bytes
@common.quiet
@click.option(
    "--unsafe-pickle",
    is_flag=True,
    help="For --against: read a checkpoint that carries more than tensors. Runs its code.",
)
def verify(
    file: Path,
    against: Path | None,
    keep: float | None,
    key: str | None,
    task: str | None,
    base: tuple[Path, ...],
    max_bytes: int,
    quiet: bool,
    unsafe_pickle: bool,
) -> None:
    """Check FILE: all checksums, every mask, prototype and tensor."""
    if against is None and (unsafe_pickle or any(option is not None for option in (keep, key, task))):
        raise click.UsageError("--keep, --task, --key and --unsafe-pickle say how to compare: give --against, too")
    options = PackOptions(keep, key)

    from ..reader import verify_file

    with show.progress_bar("verifying", quiet) as progress:
        number, kept = verify_file(file, max_bytes=max_bytes, base=base, progress=progress)
    lines = [f"{file}: every checksum agrees, and every tensor ({number}) decodes"]
    if against is not None:
        lines.append(_compare(file, against, options, kept, task, base, max_bytes, unsafe_pickle, quiet))
    if not quiet:
        show.lines(lines)


def _compare(
    file: Path,
    against: Path,
    options: PackOptions,
    kept: float | None,
    task: str | None,
    base: tuple[Path, ...],
    max_bytes: int,
    unsafe: bool,
    quiet: bool,
) -> str:
    """`kept` is the fraction that FILE names; it counts where the checkpoint needs one and none is given."""
    from ..checkpoints import draft_of
    from ..checkpoints.loading import load_checkpoint
    from ..compare import compare
    from ..inference import convert_again
    from ..reader import metadata_of

    source = load_checkpoint(against, unsafe=unsafe)
    try:
        try:
            draft = draft_of(source, options)
        except MaskRuleError:
            if options.keep is not None or kept is None:
                raise
            draft = draft_of(source, PackOptions(kept, options.key))
        draft = convert_again(draft, metadata_of(file))
        with show.progress_bar("comparing", quiet) as progress:
            found = compare(file, draft, task=task, max_bytes=max_bytes, base=base, progress=progress)
    except CheckpointError as reason:
        raise type(reason)(f"{against}: {reason}") from None
    except MismatchError as reason:
        raise MismatchError(f"{file} and {against}: {reason}") from None
    if not draft.conversions:
        return f"{against}: every tensor ({found.tensors}) is the same, {found}"
    done = ", and ".join(conversion.done for conversion in draft.conversions)
    return f"{against}: every tensor ({found.tensors}) is the same once converted, {found}: {done}"
