"""A `.pemn` file into a file of dense tensors, one tensor after another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..checkpoints import kept
from ..checkpoints.names import stripped
from ..checkpoints.writing import sharded
from ..checkpoints.writing.saving import check_size, save_streamed
from ..checkpoints.writing.streamed import StreamedTensor
from ..coding.delta.base_files import BaseFiles, refuse_base
from ..common import kernels
from ..common.dtypes import BY_NAME
from ..common.progress import Reporting, callback, silent
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes, memory_errors, naming, path_of
from ..container.ranges import is_url
from ..errors import OutputExistsError
from .file import PemnFile
from .layouts.entries import check_result
from .load import PathLike


def unpack_file(
    source: PathOrBytes,
    output: PathLike,
    *,
    task: str | None = None,
    strip_prefix: bool = False,
    shard_size: int | None = None,
    overwrite: bool = True,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    progress: Reporting = silent,
) -> list[str]:
    """Write the dense tensors of a `.pemn` file to a file that needs no pemncodec, without holding all of them.

    Args:
        source: a `.pemn` file: a path, a URL, bytes, or a binary file object.
        output: where to write, whole or not at all: safetensors if it ends in `.safetensors`, else a file as torch.save
            writes it. Dtypes and shapes are as `load_file` gives them, and tied tensors are tied.
        task: the task to unpack, if the file holds several.
        strip_prefix: remove `module.` or `_orig_mod.` if every name has it.
        shard_size: write a folder: shards with so many bytes of tensors, their index, and the files that were included
            when the file was packed (`save_sharded` has the names). A larger tensor is a shard by itself.
        overwrite: whether an existing file may be replaced. A folder with something in it never is.
        max_bytes: refuse to decode, or to write, more than this; the default is 16 GiB. Safetensors holds a tied tensor
            once for each of its names, and each counts.
        base: of a delta, as for `load`.
        progress: called with (bytes done, bytes in total, name); or `tqdm`, or one of its bars.

    Returns:
        The names that were written, in the order of the original state_dict.

    Raises:
        FormatError: the file is damaged, breaks the format, or decodes to more than `max_bytes`.
        NotFoundError: the task is not in the file, or none was chosen and there are several.
        BaseFileError: the file is a delta, and its base was not given, or is another file.
        FileAccessError: `source` cannot be read.
        OutputError: safetensors cannot hold one of the tensors, or `output` cannot be written.
        OutputExistsError: `output` is `source` or `base`, or exists and `overwrite` is False.
        UnsupportedTensorError: the installed torch lacks a dtype.
        MetadataError: the files or the `__metadata__` that the file keeps are invalid; a `.pt` file needs neither.
    """
    path = Path(output)
    refuse_base(path, base)
    with naming(source), PemnFile(source, task=task, max_bytes=max_bytes, base=base) as file, memory_errors():
        given = path_of(source)
        if given and not is_url(given) and os.path.exists(path) and path.samefile(given):  # noqa: PTH110 (long names)
            raise OutputExistsError(f"{path} is the input itself: name another output")
        file.decoder.check_limit(file.decoded_size, "the file")
        kernels.say_if_missing(file.decoded_size)
        own = [file.index(name) for name in file if file.alias_of(name) is None]
        check_result(file.decoder, own, "dense")  # names also take memory
        file.decoder.expect(own)
        tensors = streamed_tensors(file, strip_prefix=strip_prefix)
        said = file.metadata
        if shard_size is not None:
            safetensors = not sharded.is_torch(path)
            check_size(tensors, path, max_bytes, safetensors=safetensors)
            sharded.save_sharded(
                tensors,
                path,
                size=shard_size,
                metadata=kept.read_safetensors(said) if safetensors else {},
                files=kept.read_files(said),
                overwrite=overwrite,
                progress=callback(progress),
            )
        else:
            check_size(tensors, path, max_bytes)
            header = kept.read_safetensors(said) if path.suffix == ".safetensors" else {}
            save_streamed(tensors, path, overwrite=overwrite, metadata=header, progress=callback(progress))
    return [tensor.name for tensor in tensors]


def streamed_tensors(file: PemnFile, *, strip_prefix: bool = False) -> list[StreamedTensor]:
    """The tensors of an opened file, dense; each is decoded when its pieces are asked for.

    Args:
        file: which stays open until the last piece was made.
        strip_prefix: remove `module.` or `_orig_mod.` if every name has it.
    """
    names = {name: name for name in file}
    new_names = {name: new for new, name in (stripped(names) if strip_prefix else names).items()}
    tensors = []
    for name in file:
        target = file.alias_of(name)
        tensors.append(
            StreamedTensor(
                name=new_names[name],
                dtype=BY_NAME[file.dtype(name)],
                shape=file.shape(name),
                pieces=partial(_pieces, file, file.index(name)),
                same_as=None if target is None else new_names[target],
            )
        )
    return tensors


def _pieces(file: PemnFile, index: int) -> Iterator[NDArray[np.generic]]:
    """An entry's elements in order, little-endian."""
    for words in file.decoder.pieces(index):
        yield words.astype(words.dtype.newbyteorder("<"), copy=False)
