"""`PemnReader`: each rank decodes the rows of a `.pemn` file that it holds."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import LoadPlan, LoadPlanner, ReadItem
from torch.distributed.checkpoint.storage import StorageReader
from torch.futures import Future

from ..coding.delta.base_files import BaseFiles
from ..common import torch_tensors
from ..common.dtypes import BY_NAME
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.ranges import is_url
from ..errors import MismatchError
from ..errors.quoting import quoted
from ..loading.file import PemnFile
from ..loading.slices import TensorSlices

PathLike = str | os.PathLike[str]


class PemnReader(StorageReader):
    """Reads a `.pemn` file for `torch.distributed.checkpoint.load`, which fills tensors and DTensors in place.

    Each rank opens the file, and decodes the rows of its own shards (see `PemnFile.get_slice` for what is decoded
    beside them). The names are those of the file.

    Args:
        path: a `.pemn` file that every rank can read: a path, or a URL that fsspec knows.
        task: the task to load, if the file holds several.
        base: for a delta, its base, a path or bytes; several, in any order, if the base is itself a delta.
        max_bytes: refuse to decode a part (or a section that it needs) of more bytes.

    Raises:
        FormatError: the file is damaged or breaks the format (spec section 9).
        FileAccessError: it cannot be read.
        NotFoundError: the task is not in the file, or none was chosen and there are several.
        MismatchError: while loading: a tensor has another dtype than in the file; the rank wrote nothing.
            `torch.distributed.checkpoint` refuses a name that is not in the file, and another shape, before any rank
            writes. It raises all errors of loading as its `CheckpointException`, whose `failures` has them by rank.

    Example:
        >>> state = model.state_dict()
        >>> torch.distributed.checkpoint.load(state, storage_reader=PemnReader("model.pemn"))
    """

    def __init__(
        self, path: PathLike, *, task: str | None = None, base: BaseFiles = None, max_bytes: int = DEFAULT_MAX_BYTES
    ) -> None:
        super().__init__()
        self._task = task
        self._base = base
        self._max_bytes = max_bytes
        self._open(path)

    def _open(self, path: PathLike) -> None:
        self._path = path
        self._file = PemnFile(path, task=self._task, max_bytes=self._max_bytes, base=self._base)
        self._file.keys()  # a file with tasks is refused now, and not on each rank while loading

    @property
    def checkpoint_id(self) -> PathLike:
        """The path of the file."""
        return self._path

    def reset(self, checkpoint_id: PathLike | None = None) -> None:
        """Begin another load; from another file, if one is given."""
        if checkpoint_id is not None and os.fspath(checkpoint_id) != os.fspath(self._path):
            self._file.close()
            self._open(checkpoint_id)

    def read_metadata(self) -> Metadata:
        """Names, dtypes and shapes of the tensors; each is one chunk."""
        # Without **kwargs: of a reader that takes them DCP would ask for what each rank saved for itself.
        return Metadata({name: self._described(name) for name in self._file})

    def _described(self, name: str) -> TensorStorageMetadata:
        size = torch.Size(self._file.shape(name))
        whole = ChunkStorageMetadata(torch.Size([0] * len(size)), size)
        return TensorStorageMetadata(TensorProperties(self._dtype(name)), size, [whole])

    def _dtype(self, name: str) -> torch.dtype:
        return torch_tensors.torch_dtype(BY_NAME[self._file.dtype(name)])

    def set_up_storage_reader(self, metadata: Metadata, is_coordinator: bool, *args: Any, **kwargs: Any) -> None:
        """Nothing is to be set up: every rank reads the file itself."""

    def prepare_local_plan(self, plan: LoadPlan) -> LoadPlan:
        """Return the plan as it is."""
        return plan

    def prepare_global_plan(self, plans: list[LoadPlan]) -> list[LoadPlan]:
        """Return the plans as they are."""
        return plans

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> Future[None]:
        """Decode what the plan asks for into the tensors of the planner.

        Raises:
            MismatchError: a tensor has another dtype than in the file; nothing is decoded then.
            FormatError, BaseFileError: as `PemnFile.get_tensor`. Tensors before the damaged one are filled.
        """
        targets = [(item, planner.resolve_tensor(item).detach()) for item in sorted(plan.items, key=_place)]
        for item, target in targets:
            self._check(item.storage_index.fqn, target)
        slices: tuple[str, TensorSlices] | None = None
        for item, target in targets:
            name = item.storage_index.fqn
            if slices is None or slices[0] != name:  # one at a time: it keeps what it had to decode whole
                slices = name, self._file.get_slice(name)
            ends = zip(item.storage_offsets, item.lengths, strict=True)
            _copy(target, slices[1][tuple(slice(start, start + count) for start, count in ends)])
            planner.commit_tensor(item, target)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def _check(self, name: str, target: torch.Tensor) -> None:
        if target.dtype != self._dtype(name):
            raise MismatchError(
                f"{quoted(name)} is {self._file.dtype(name)} in the file, but {str(target.dtype)[6:]} in the "
                "state_dict: load into that dtype, then convert"
            )

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: PathLike) -> bool:
        """Return whether there is a file of this path, or it is a URL."""
        return is_url(checkpoint_id) or os.path.isfile(checkpoint_id)  # noqa: PTH113 (which raises for long names)


def _place(item: ReadItem) -> tuple[str, tuple[int, ...]]:
    return item.storage_index.fqn, tuple(item.storage_offsets)


def _copy(target: torch.Tensor, part: torch.Tensor) -> None:
    try:
        target.copy_(part)
    except (NotImplementedError, RuntimeError):  # torch copies float4 to nowhere, but the bytes of it
        target.view(torch.uint8).copy_(part.view(torch.uint8))
