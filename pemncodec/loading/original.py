"""A file in its original layout, so that the code of the original project loads and evaluates it."""

from __future__ import annotations

from collections.abc import Mapping
from operator import mul
from pathlib import Path
from typing import Any

from ..checkpoints import kept, metadata
from ..checkpoints.containers import grouped
from ..checkpoints.families import lottery_ticket, open_lth
from ..checkpoints.family import Beside, Family, put
from ..checkpoints.folders import OutputFolder
from ..checkpoints.metadata import Metadata
from ..checkpoints.recognise import family_named
from ..checkpoints.writing.saving import save_original
from ..coding.delta.base_files import BaseFiles, refuse_base
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes, memory_errors, metadata_of, naming, path_of
from ..container.ranges import is_url
from ..errors import OutputError, OutputExistsError, PemnError, UnknownLayoutError
from ..errors.quoting import quoted, shortened
from .contents import Budget, FileContents, OpenFile
from .file import open_decoder
from .load import PathLike


def load_original(
    source: PathOrBytes,
    *,
    task: str | None = None,
    base: BaseFiles = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> Any:
    """Return the checkpoint as its project saves it: keys, wrapping, and scores or masks of 0 and 1.

    The project's own rule gives the same masks and, bit for bit, the same effective weights. Weights that no mask keeps
    are zero where the file does not hold them. What packing left out (optimizer, epoch, …) is absent.

    Args:
        source: a `.pemn` file.
        task: the task to restore, if the file was packed from one checkpoint per task.
        base: of a delta.
        max_bytes: refuse to decode more: prototypes, weights, scores and masks together.

    Returns:
        A state_dict; a dictionary that holds it under the key that it had; or an `OutputFolder`.

    Raises:
        FormatError: the file cannot be decoded.
        NotFoundError: no such task.
        MetadataError: its `pemn.` metadata cannot be understood, or a name in it is no plain name of a file.
        LimitError: it would take more than `max_bytes`.
        OutputError: the file does not say which family it was packed from, its family holds all tasks at once, or
            cannot say what the file holds.
    """
    with naming(source), memory_errors(), open_decoder(source, max_bytes=max_bytes, base=base) as decoder:
        manifest = decoder.manifest
        said = metadata.read(manifest.metadata, manifest.only_bools)
        family = _family(said)
        budget = Budget(max_bytes, len(manifest.entries))
        lengths = [row.length for row in manifest.prototypes]
        sizes = [manifest.prototype_dtype(number).itemsize for number in range(len(lengths))]
        budget.take(sum(map(mul, lengths, sizes)), "prototypes")
        file = OpenFile(decoder, said, budget)
        file.check_patterns()
        contents = FileContents(file, task)
        if task is not None and not said.separate:
            raise OutputError(f"family {family.name!r} holds all tasks in one checkpoint: omit the task")
        contents.check_size()
        made = _restored(family, contents)
    return made if isinstance(made, OutputFolder) else _wrapped(made, contents.details)


def _wrapped(made: Any, details: Mapping[str, Any]) -> Any:
    """The containers of the checkpoint around its tensors."""
    others = made.others if isinstance(made, Beside) else {}
    tensors = made.tensors if isinstance(made, Beside) else made
    if any(key in details for key in ("groups", "integers", "arrays")):
        nesting = (details.get(key, []) for key in ("groups", "integers", "arrays"))
        tensors = grouped(tensors, *nesting)
    under = details.get("under")
    whole = {under: tensors} if under is not None else tensors
    for key, value in others.items():
        put(whole, key, value)
    return whole


def _family(said: Metadata) -> Family:
    try:
        return family_named(said.family)
    except UnknownLayoutError:
        raise OutputError(
            f"the file does not say which family it was packed from ({quoted(said.family or 'nothing')}): use another "
            "layout"
        ) from None


def _restored(family: Family, contents: FileContents) -> Any:
    """Restore by the family; an error that the family did not foresee becomes an OutputError."""
    try:
        return family.restore(contents)
    except PemnError:
        raise
    except RuntimeError as reason:
        if "allocate memory" in str(reason):  # torch's form of a MemoryError
            raise MemoryError from None
        raise _cannot_hold(family, reason) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as reason:
        raise _cannot_hold(family, reason) from None


def _cannot_hold(family: Family, reason: Exception) -> OutputError:
    why = f"{type(reason).__name__}: {shortened(str(reason))}"
    return OutputError(f"family {family.name!r} cannot hold this network ({why}): use another layout")


def unpack_original(
    source: PathOrBytes,
    output: PathLike,
    *,
    task: str | None = None,
    base: BaseFiles = None,
    overwrite: bool = True,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> int:
    """Write the checkpoint that `load_original` returns, whole or not at all.

    Args:
        source: a `.pemn` file.
        output: where to write: a folder if a folder was packed, safetensors if it ends in `.safetensors`, else a file
            as torch.save writes it.
        overwrite: whether an existing file may be replaced. A folder with something in it never is.

    Returns:
        The number of tensors.

    Raises:
        FormatError, NotFoundError, OutputError: as `load_original`.
        OutputError: `output` cannot be written, or safetensors cannot hold the layout.
        OutputExistsError: `output` is `source` or `base`, or exists and `overwrite` is False.
    """
    path = Path(output)
    refuse_base(path, base)
    given = path_of(source)
    if given and not is_url(given) and path.exists() and path.samefile(given):
        raise OutputExistsError(f"{path} is the input itself: name another output")
    made = load_original(source, task=task, base=base, max_bytes=max_bytes)
    header = kept.read_safetensors(metadata_of(source)) if path.suffix == ".safetensors" else {}
    return save_original(made, path, overwrite=overwrite, max_bytes=max_bytes, metadata=header)


def is_folder(source: PathOrBytes) -> bool:
    """Return whether the packed checkpoint was a folder.

    Raises:
        FormatError, FileAccessError: the file cannot be read.
        MetadataError: its metadata cannot be understood.
    """
    with naming(source):
        said = metadata.read(metadata_of(source))
    models = any("model" in details for details in (said.details, *said.of_task.values()))
    return said.family == lottery_ticket.NAME or (said.family == open_lth.NAME and models)
