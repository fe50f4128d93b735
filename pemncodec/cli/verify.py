"""`pemn verify`: decode everything and check every rule, or compare with a checkpoint."""

from __future__ import annotations

from pathlib import Path

import click

from ..container.manifest import DEFAULT_MAX_BYTES
from . import show


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
@click.option("--task", help="For --against: which task, where the file holds several.")
@click.option(
    "--max-bytes", type=click.IntRange(min=0), default=DEFAULT_MAX_BYTES, show_default=True, help="Refuse to make more."
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
@click.option(
    "--unsafe-pickle",
    is_flag=True,
    help="For --against: read a checkpoint that carries more than tensors. Runs its code.",
)
def verify(
    file: Path,
    against: Path | None,
    keep: float | None,
    task: str | None,
    max_bytes: int,
    quiet: bool,
    unsafe_pickle: bool,
) -> None:
    """Check FILE: all checksums, every mask, prototype and tensor."""
    from ..reader import verify_file

    with show.progress_bar("verifying", quiet) as progress:
        count, kept = verify_file(file, max_bytes=max_bytes, progress=progress)
    lines = [f"{file}: every checksum agrees, and all {count} tensors decode"]
    if against is not None:
        from ..checkpoints.loading import load_checkpoint
        from ..compare import compare

        source = load_checkpoint(against, unsafe=unsafe_pickle)
        if keep is None and kept is not None:
            keep = kept
        with show.progress_bar("comparing", quiet) as progress:
            same = compare(file, source, keep=keep, task=task, max_bytes=max_bytes, progress=progress)
        lines.append(f"{against}: all {same} tensors are the same, bit for bit")
    if not quiet:
        click.echo("\n".join(lines))
