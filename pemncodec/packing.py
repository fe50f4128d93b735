"""Writing: a network as bytes, or as a file, and a report of what was found in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .assemble import assemble
from .base import BaseFiles, refuse_base
from .checkpoints import draft_of
from .container.accounting import sizes
from .container.sections import EncodedFile
from .draft import Draft
from .encode import encode_file
from .errors import NetworkError
from .inference import convert
from .network import MaskedNetwork
from .options import InferenceOptions, PackOptions
from .output import whole_file
from .progress import Progress, silent
from .report import PackReport, base_notes

Source = torch.nn.Module | Mapping[str, Any] | MaskedNetwork
PathLike = str | os.PathLike[str]


def pack(
    source: Source,
    *,
    keep: float | None = None,
    key: str | None = None,
    metadata: dict[str, str] | None = None,
    fold_batchnorm: bool = False,
    batchnorm_eps: float | None = None,
    tensor_dtype: str | None = None,
    base: BaseFiles = None,
    progress: Progress = silent,
) -> tuple[bytes, PackReport]:
    """The bytes of a `.pemn` file for a network, and a report of what was recognised and found.

    Args:
        source: a module, its state_dict, a whole checkpoint dictionary (the state_dict under `state_dict`,
            `model_state_dict` or `model`), or a `MaskedNetwork`.
        keep: the fraction of weights that edge-popup keeps in every layer, in (0, 1]. It is in no
            checkpoint with scores, so it must be given for these.
        key: under which key of a checkpoint the state_dict is, where it is not one of the three above.
        metadata: string to string, stored in the file. Keys that begin with `pemn.` are reserved.
        fold_batchnorm: lossy, for inference: fold the running statistics of BatchNorms into weight and bias.
        batchnorm_eps: the eps of all of them; by default what the module says, 1e-5 where there is none.
        tensor_dtype: lossy: round float32 and float64 tensors without a mask to `"float16"` or `"bfloat16"`.
        base: another `.pemn` file, a path or bytes; several, in any order, where that is a delta itself. What is
            smaller as a difference from it is stored as one; then the file is a delta, and is read beside it only.
        progress: called with (done, total, name).

    Returns:
        The file, and the report.

    Raises:
        CheckpointError: the checkpoint cannot be packed: unknown or broken layout, no masks without `keep`,
            a dtype that the format lacks; a conversion that is none, or would make a finite value infinite.
        NetworkError: a `MaskedNetwork` that contradicts itself, or bad metadata.
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
    """
    conversions = InferenceOptions(fold_batchnorm, batchnorm_eps, tensor_dtype)
    encoded, report = _encode(source, PackOptions(keep, key), conversions, metadata, progress, base=base)
    return encoded.to_bytes(), report


def _encode(
    source: Source,
    options: PackOptions,
    conversions: InferenceOptions,
    metadata: dict[str, str] | None,
    progress: Progress,
    folder: Path | None = None,
    base: BaseFiles = None,
) -> tuple[EncodedFile, PackReport]:
    if isinstance(source, MaskedNetwork):
        if conversions.lossy:
            raise NetworkError(
                "a MaskedNetwork is packed as it is: fold_batchnorm and tensor_dtype are for checkpoints"
            )
        if metadata:
            raise NetworkError("a MaskedNetwork carries its metadata itself: set network.metadata")
        encoded = encode_file(source, progress, folder, base)
        rule = source.metadata.get("pemn.mask_rule", "")
        layout = source.metadata.get("pemn.layout", "MaskedNetwork")
        notes = base_notes(encoded.manifest, base)
        report = PackReport(
            layout, rule, None, len(source.layers), [], notes, [], sizes(encoded.manifest, encoded.size)
        )
        return encoded, report
    draft = convert(draft_of(source, options), conversions)
    return pack_draft(draft, metadata=metadata, progress=progress, folder=folder, base=base)


def pack_draft(
    draft: Draft,
    *,
    metadata: dict[str, str] | None = None,
    progress: Progress = silent,
    folder: Path | None = None,
    base: BaseFiles = None,
) -> tuple[EncodedFile, PackReport]:
    """`pack` for a checkpoint that has been recognised, and converted where that is wanted.

    Args:
        folder: where a temporary file may be for what would take much memory; by default there is none.
        base: as for `pack`.

    Raises:
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
        NetworkError: bad metadata, or a network that does not fit the format.
    """
    assembled = assemble(draft, metadata, progress)
    encoded = encode_file(assembled.network, progress, folder, base)
    return encoded, PackReport(
        layout=draft.layout,
        mask_rule=draft.mask_rule,
        keep=draft.keep,
        layers=len(assembled.network.layers),
        findings=assembled.findings,
        notes=draft.notes + base_notes(encoded.manifest, base),
        dropped=draft.dropped,
        sizes=sizes(encoded.manifest, encoded.size),
        conversions=[f"{one.done}; largest error {one.error}" for one in draft.conversions],
    )


def save(
    source: Source,
    *,
    keep: float | None = None,
    key: str | None = None,
    metadata: dict[str, str] | None = None,
    fold_batchnorm: bool = False,
    batchnorm_eps: float | None = None,
    tensor_dtype: str | None = None,
    base: BaseFiles = None,
    progress: Progress = silent,
) -> bytes:
    """The bytes of a `.pemn` file; arguments and errors as `pack`."""
    return pack(
        source,
        keep=keep,
        key=key,
        metadata=metadata,
        fold_batchnorm=fold_batchnorm,
        batchnorm_eps=batchnorm_eps,
        tensor_dtype=tensor_dtype,
        base=base,
        progress=progress,
    )[0]


def save_file(
    source: Source,
    path: PathLike,
    *,
    keep: float | None = None,
    key: str | None = None,
    metadata: dict[str, str] | None = None,
    fold_batchnorm: bool = False,
    batchnorm_eps: float | None = None,
    tensor_dtype: str | None = None,
    base: BaseFiles = None,
    overwrite: bool = True,
    progress: Progress = silent,
) -> PackReport:
    """Write a `.pemn` file, whole or not at all; other arguments and errors as `pack`.

    Args:
        path: where to write.
        overwrite: whether an existing file may be replaced.

    Returns:
        What was recognised and found, and where the bytes are.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is False, or is the base.
        OutputError: `path` cannot be written.

    Beside the source this takes a bit a weight, and what one tensor needs; a file beside `path` holds the rest.
    """
    conversions = InferenceOptions(fold_batchnorm, batchnorm_eps, tensor_dtype)
    options = PackOptions(keep, key)
    refuse_base(Path(path), base)
    with whole_file(path, overwrite=overwrite) as temporary:
        encoded, report = _encode(source, options, conversions, metadata, progress, temporary.parent, base)
        encoded.write(temporary)
    return report
