"""Packing from Python: a checkpoint, a module or a network to a `.pemn` file or its bytes.

All of these go through the pipeline of `packing.pack`, as the command does, and take the same keywords.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import torch

from ..checkpoints.options import Fractions
from ..checkpoints.reading.load import CheckpointFile
from ..coding.delta.base_files import BaseFiles
from ..common.progress import Reporting, callback, silent
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes
from ..container.ranges import is_url
from ..network.model import MaskedNetwork
from .job import NetworkFile, Source, Stages, job_of
from .messages import message_of
from .output import Output
from .pack import pack_to_bytes, pack_to_file
from .report import PackReport

PathLike = str | os.PathLike[str]
Network = torch.nn.Module | Mapping[str, Any] | MaskedNetwork


def pack_file(
    source: PathLike | Network,
    path: Output,
    *,
    unsafe: bool = False,
    checksums: bool = True,
    max_bytes: int = DEFAULT_MAX_BYTES,
    overwrite: bool = True,
    verify: bool = True,
    keep: Fractions | None = None,
    rule: str | None = None,
    threshold: float | None = None,
    ties: str | None = None,
    family: str | None = None,
    masks: Mapping[str, Any] | Sequence[Any] | None = None,
    backbone: Mapping[str, Any] | torch.nn.Module | None = None,
    mask_suffix: str | None = None,
    inverted_masks: bool = False,
    strip_prefix: bool = False,
    mixed_prefixes: bool = False,
    uint8_masks: bool = False,
    key: str | int | None = None,
    metadata: Mapping[str, str] | None = None,
    fold_batchnorm: bool = False,
    batchnorm_eps: float | None = None,
    tensor_dtype: str | None = None,
    base: BaseFiles = None,
    torch_seed: int | None = None,
    find_seed: int = 0,
    seekable: bool = False,
    include: Sequence[str] = (),
    progress: Reporting = silent,
) -> PackReport:
    """Pack a checkpoint file, or a network, into a `.pemn` file, as `pemn pack` does.

    The file is written whole or not at all. It is compared with its source before it appears: every tensor, bit for
    bit, with the recognised tensors and, if the source is a file, with what `torch.load` itself reads from it
    (docs/checkpoints.md, "What `verified` means").

    Args:
        source: a path (as for `load_checkpoint`), a module, its state_dict, a whole checkpoint dictionary, or a
            `MaskedNetwork`; or a `.pemn` file, by its path or URL, whose masks and prototypes are packed as they are.
        path: where to write: a path, a URL that fsspec knows (`s3://…`), or a binary file object.
        unsafe, checksums, max_bytes: how a file is read, as for `load_checkpoint`.
        overwrite: whether an existing file may be replaced.
        verify: whether the file is compared with its source.
        keep: the fraction of weights that a layer keeps, in (0, 1]: one for all layers, or by pattern (`fnmatch` on the
            name of the weight; the first match applies). Checkpoints with scores do not hold it, and need it.
        rule: how masks follow from scores: `"edge-popup"`, `"kth-value"`, `"top-k"`, `"global"`, `"sigmoid"`,
            `"threshold"`, `"movement"` or `"movement-global"`; by default the rule of the family.
        threshold: for `"sigmoid"` and `"threshold"`: keep probabilities, or scores, above it.
        ties: `"stable"`: if equal scores straddle the cut, keep the last of them, as a stable sort does. Otherwise
            that is an error.
        family: the family of the checkpoint, if its tensors do not identify it (`"biprop"`).
        masks: tensors of 0 and 1 by the name of the weight, from another file.
        backbone: a module, a state_dict or a checkpoint: the network of a checkpoint of masks alone (piggyback).
        mask_suffix: the suffix of masks of 0 and 1 beside their weights, if it is not a known one: `"m"` for
            `X.m` or `X.weight_m` beside `X.weight`.
        inverted_masks: whether masks of 0 and 1 have 1 where a weight is pruned.
        strip_prefix: remove the prefixes `module.` and `_orig_mod.`, which every name must have.
        mixed_prefixes: whether only some names may have these prefixes.
        uint8_masks: whether uint8 tensors of 0 and 1, in a state_dict as it is, are stored as masks. Bool tensors are.
        key: the key of the state_dict in a checkpoint, if not `state_dict`, `model_state_dict` or `model`; `"."`:
            the checkpoint itself, with all that is nested in it.
        metadata: string to string, stored in the file. Keys that begin with `pemn.` are reserved.
        fold_batchnorm: lossy, for inference: fold the running statistics of BatchNorms into weight and bias.
        batchnorm_eps: the eps of all of them; by default that of the module, or 1e-5 without a module.
        tensor_dtype: lossy: round float32 and float64 tensors without a mask to `"float16"` or `"bfloat16"`.
        base: another `.pemn` file, a path or bytes; several, in any order, if that is itself a delta. What is
            smaller as a difference from it is stored as one. Then the file is a delta, which can be read with this base
            only.
        torch_seed: the argument of `torch.manual_seed` before the network was made. Weights that PyTorch's CPU
            generator drew are stored as the seed.
        find_seed: how many seeds from 0 on to try, beside some common ones; True: ten thousand.
        seekable: put masks and values of a mebibit and a mebibyte or more in chunks, so that `get_slice`, and sharded
            loading, decode no more than they need of a tensor. The file is up to 1 % larger.
        include: patterns of files beside the network in a folder (`"config.json"`) that are kept as they are.
        progress: called with (done, total, name); or `tqdm`, or one of its bars.

    Returns:
        A report of what was recognised and found, the bytes of each part, and what was compared.

    Raises:
        CheckpointError: the checkpoint cannot be read or packed: an unknown or inconsistent family, masks that need
            `keep`, a dtype that the format lacks; a conversion that is invalid, or would make a finite value infinite.
        NetworkError: an inconsistent `MaskedNetwork`, or bad metadata.
        MismatchError: the file does not equal its source; it is not written.
        OutputExistsError: `path` exists and `overwrite` is False, or is the base.
        OutputError: `path` cannot be written.
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
    """
    given = locals()
    if is_url(source):
        sources: Mapping[str, Source] = {"": NetworkFile(cast("str", source), max_bytes)}
    elif isinstance(source, str | os.PathLike):
        sources = {"": CheckpointFile(Path(source), unsafe, checksums, max_bytes)}
    else:
        sources = {"": source}
    return pack_to_file(job_of(sources, given), path, overwrite=overwrite, stages=_stages(progress))


def pack(
    source: Network,
    *,
    verify: bool = True,
    keep: Fractions | None = None,
    rule: str | None = None,
    threshold: float | None = None,
    ties: str | None = None,
    family: str | None = None,
    masks: Mapping[str, Any] | Sequence[Any] | None = None,
    backbone: Mapping[str, Any] | torch.nn.Module | None = None,
    mask_suffix: str | None = None,
    inverted_masks: bool = False,
    strip_prefix: bool = False,
    mixed_prefixes: bool = False,
    uint8_masks: bool = False,
    key: str | int | None = None,
    metadata: Mapping[str, str] | None = None,
    fold_batchnorm: bool = False,
    batchnorm_eps: float | None = None,
    tensor_dtype: str | None = None,
    base: BaseFiles = None,
    torch_seed: int | None = None,
    find_seed: int = 0,
    seekable: bool = False,
    progress: Reporting = silent,
) -> tuple[bytes, PackReport]:
    """Return the bytes of a `.pemn` file, and a report.

    Args:
        source: a module, its state_dict, a whole checkpoint dictionary (the state_dict under `state_dict`,
            `model_state_dict` or `model`), what `load_checkpoint` returned, or a `MaskedNetwork`.

    Other arguments are those of `pack_file`.

    Raises:
        CheckpointError, NetworkError, MismatchError: as `pack_file`.
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
    """
    return pack_to_bytes(job_of({"": source}, locals()), stages=_stages(progress))


def save(
    source: Network,
    *,
    verify: bool = True,
    keep: Fractions | None = None,
    rule: str | None = None,
    threshold: float | None = None,
    ties: str | None = None,
    family: str | None = None,
    masks: Mapping[str, Any] | Sequence[Any] | None = None,
    backbone: Mapping[str, Any] | torch.nn.Module | None = None,
    mask_suffix: str | None = None,
    inverted_masks: bool = False,
    strip_prefix: bool = False,
    mixed_prefixes: bool = False,
    uint8_masks: bool = False,
    key: str | int | None = None,
    metadata: Mapping[str, str] | None = None,
    fold_batchnorm: bool = False,
    batchnorm_eps: float | None = None,
    tensor_dtype: str | None = None,
    base: BaseFiles = None,
    torch_seed: int | None = None,
    find_seed: int = 0,
    seekable: bool = False,
    progress: Reporting = silent,
) -> bytes:
    """Return the bytes of a `.pemn` file; arguments and errors as `pack`.

    A state_dict of bool tensors alone takes a shorter way to the same bytes.
    """
    job = job_of({"": source}, locals())
    message = message_of(job) if progress is silent else None
    return pack_to_bytes(job, stages=_stages(progress))[0] if message is None else message


def save_file(
    source: Network,
    path: Output,
    *,
    overwrite: bool = True,
    verify: bool = True,
    keep: Fractions | None = None,
    rule: str | None = None,
    threshold: float | None = None,
    ties: str | None = None,
    family: str | None = None,
    masks: Mapping[str, Any] | Sequence[Any] | None = None,
    backbone: Mapping[str, Any] | torch.nn.Module | None = None,
    mask_suffix: str | None = None,
    inverted_masks: bool = False,
    strip_prefix: bool = False,
    mixed_prefixes: bool = False,
    uint8_masks: bool = False,
    key: str | int | None = None,
    metadata: Mapping[str, str] | None = None,
    fold_batchnorm: bool = False,
    batchnorm_eps: float | None = None,
    tensor_dtype: str | None = None,
    base: BaseFiles = None,
    torch_seed: int | None = None,
    find_seed: int = 0,
    seekable: bool = False,
    progress: Reporting = silent,
) -> PackReport:
    """Write a `.pemn` file, whole or not at all; the source as for `pack`, other arguments as for `pack_file`.

    Beside the source this takes one bit a weight and the memory of one tensor; a file beside `path` holds the rest.

    Raises:
        CheckpointError, NetworkError, MismatchError: as `pack_file`.
        OutputExistsError, OutputError: `path` exists or cannot be written.
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
    """
    return pack_to_file(job_of({"": source}, locals()), path, overwrite=overwrite, stages=_stages(progress))


def save_tasks(
    tasks: Mapping[str, Network],
    path: Output,
    *,
    add_to: PathOrBytes | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    overwrite: bool = True,
    verify: bool = True,
    keep: Fractions | None = None,
    rule: str | None = None,
    threshold: float | None = None,
    ties: str | None = None,
    family: str | None = None,
    masks: Mapping[str, Any] | Sequence[Any] | None = None,
    backbone: Mapping[str, Any] | torch.nn.Module | None = None,
    mask_suffix: str | None = None,
    inverted_masks: bool = False,
    strip_prefix: bool = False,
    mixed_prefixes: bool = False,
    uint8_masks: bool = False,
    key: str | int | None = None,
    metadata: Mapping[str, str] | None = None,
    base: BaseFiles = None,
    torch_seed: int | None = None,
    find_seed: int = 0,
    seekable: bool = False,
    progress: Reporting = silent,
) -> PackReport:
    """Write one `.pemn` file for several networks over one backbone, whole or not at all.

    What they have in common is stored once: tensors that are equal in every bit, and the values that their layers
    share. `load_file(path, task=NAME)` loads each of them.

    Args:
        tasks: a checkpoint by the name of each task, as `source` of `pack`; all of one family.
        path: where to write; it may be `add_to`.
        add_to: a `.pemn` file with tasks, to which these are added. Its own tasks stay the same, bit for bit.
        max_bytes: refuse a file `add_to` that decodes to more.
        overwrite: whether an existing file may be replaced.

    Other arguments are those of `pack_file`, the same for all these tasks.

    Raises:
        CheckpointError, NetworkError: as `pack_file`; tasks of different families; a name twice; a file without tasks.
        MismatchError, OutputExistsError, OutputError: as `pack_file`.
        FormatError, BaseFileError, FileAccessError: the base, or `add_to`, cannot be read.
    """
    return pack_to_file(job_of(tasks, locals()), path, overwrite=overwrite, stages=_stages(progress))


def _stages(progress: Reporting) -> Stages:
    report = callback(progress)
    return lambda _: nullcontext(report)
