"""`PemnWriter`: a `.pemn` file from the shards of all ranks, of which none holds the whole."""

from __future__ import annotations

import dataclasses
import inspect
import os
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner, WriteItem
from torch.distributed.checkpoint.storage import StorageWriter, WriteResult
from torch.futures import Future

from ..common import torch_tensors
from ..common.files import refuse_existing, temporary_folder
from ..container.ranges import is_url
from ..errors import OutputError, UnsupportedTensorError
from ..errors.quoting import quoted
from ..packing.report import PackReport
from ..packing.save import pack_file
from .staging import Layout, planned

PathLike = str | os.PathLike[str]


class PemnWriter(StorageWriter):
    """Writes a `.pemn` file for `torch.distributed.checkpoint.save`, from plain tensors and DTensors.

    Each rank writes its own shards, dense, to their places in a temporary file beside the output. The coordinator maps
    that file, packs it as `pack_file` does, compares the result with it, and removes it. No rank holds the whole
    network; the disk holds it dense until it is packed. The names are those of the flattened state_dict.

    Args:
        path: the file to write: a path, or a URL that fsspec knows.
        staging: the folder of the temporary file, on a file system that all ranks share; by default that of `path`.
        options: keywords of `pack_file`, as `metadata`, `overwrite`, `keep`, `base` or `progress`.

    Attributes:
        report: on the coordinator, after a save: what `pack_file` returns.

    Raises:
        OutputError: `path` is a URL, and there is no `staging`; while saving: something cannot be written.
        OutputExistsError: while saving: the file exists, and `overwrite` is False.
        UnsupportedTensorError: while saving: a value is no tensor, or of a dtype that the format lacks.
        CheckpointError, NetworkError, MismatchError: while saving, as `pack_file`. `torch.distributed.checkpoint`
            raises all errors of saving as its `CheckpointException`, whose `failures` has them by rank. Nothing is
            written then.

    Example:
        >>> torch.distributed.checkpoint.save(model.state_dict(), storage_writer=PemnWriter("model.pemn"))
    """

    def __init__(self, path: PathLike, *, staging: PathLike | None = None, **options: Any) -> None:
        super().__init__()
        inspect.signature(pack_file).bind({}, path, **options)  # an unknown keyword is an error before training
        self._path, self._staging, self._options = path, staging, options
        self.report: PackReport | None = None
        self._names: list[str] = []
        self._layout: Layout | None = None
        self._opened = ExitStack()
        self._folder()

    @property
    def checkpoint_id(self) -> PathLike:
        """The path of the file."""
        return self._path

    def reset(self, checkpoint_id: PathLike | None = None) -> None:
        """Begin another save; to another file, if one is given."""
        self._opened.close()
        self._opened, self._layout, self.report = ExitStack(), None, None
        if checkpoint_id is not None:
            self._path = checkpoint_id
            self._folder()

    def set_up_storage_writer(self, is_coordinator: bool, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Refuse what could not be written, before anything is.

        Raises:
            OutputExistsError: the file exists, and may not be replaced.
            OutputError: each rank would write a file of its own.
        """
        if kwargs.get("use_collectives") is False:
            raise OutputError(f"{os.fspath(self._path)} is one file of all ranks: save with use_collectives=True")
        if is_coordinator and not self._options.get("overwrite", True) and not is_url(self._path):
            refuse_existing(Path(self._path))

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        """Return the plan, if all of it can be stored.

        Raises:
            UnsupportedTensorError: a value is no tensor, or of a dtype that the format lacks.
        """
        for item in plan.items:
            if item.tensor_data is None:
                raise UnsupportedTensorError(
                    f"{quoted(item.index.fqn)} is no tensor: save the state_dict of the model alone"
                )
            torch_tensors.known_dtype(item.tensor_data.properties.dtype, item.index.fqn)
        self._names = list(dict.fromkeys(item.index.fqn for item in plan.items))
        return plan

    def prepare_global_plan(self, plans: list[SavePlan]) -> list[SavePlan]:
        """Make the temporary file, and tell each rank where its shards go.

        Raises:
            OutputError: it cannot be made.
        """
        found = {item.index.fqn: item for plan in plans for item in plan.items}
        # The order of the state_dict: what other ranks save for this one is no longer in its plan.
        names = [name for name in dict.fromkeys([*self._names, *found]) if name in found]
        folder = self._opened.enter_context(temporary_folder(self._folder() / Path(self._path).name))
        # Where saving fails before `finish`, the folder goes with this object, or with the process.
        weakref.finalize(self, self._opened.close)
        layout = planned(str(folder / "tensors"), {name: _described(found[name]) for name in names})
        try:
            layout.create()
        except OSError as reason:
            raise OutputError(f"{layout.path} cannot be written: {reason.strerror or reason}") from None
        self._layout = layout
        return [dataclasses.replace(plan, storage_data=layout) for plan in plans]

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        """Write the shards of this rank.

        Raises:
            OutputError: they cannot be written.
            UnsupportedTensorError: a tensor has no elements that can be read.
        """
        layout = plan.storage_data
        assert isinstance(layout, Layout), "prepare_global_plan put it there"
        sizes = layout.write((item.index.fqn, _chunk(item)[0], _resolved(planner, item)) for item in plan.items)
        done: Future[list[WriteResult]] = Future()
        done.set_result([WriteResult(item.index, size, None) for item, size in zip(plan.items, sizes, strict=True)])
        return done

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:  # noqa: ARG002
        """Pack the temporary file, compare, and put the result in its place.

        Raises:
            PemnError: as `pack_file`; nothing is written then.
        """
        layout = self._layout
        assert layout is not None, "prepare_global_plan made it"
        with self._opened:
            written = sum(result.size_in_bytes for rank in results for result in rank)
            if written != layout.size:
                raise OutputError(
                    f"{os.fspath(self._path)} was not written: ranks saved {written} bytes of {layout.size}; each "
                    "element must be saved once"
                )
            self.report = pack_file(layout.tensors(), self._path, **self._options)

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: PathLike) -> bool:
        """Return whether a path is one of a `.pemn` file."""
        return os.fspath(checkpoint_id).endswith(".pemn")

    def _folder(self) -> Path:
        if self._staging is not None:
            return Path(self._staging)
        if is_url(self._path):
            raise OutputError(
                f"{os.fspath(self._path)} is a URL: give staging=, a folder that all ranks see, for the shards"
            )
        return Path(self._path).parent


def _described(item: WriteItem) -> tuple[Any, tuple[int, ...]]:
    assert item.tensor_data is not None, "prepare_local_plan refused it"
    return item.tensor_data.properties.dtype, tuple(item.tensor_data.size)


def _chunk(item: WriteItem) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The first index in each dimension, and the shape."""
    assert item.tensor_data is not None, "prepare_local_plan refused it"
    return tuple(item.tensor_data.chunk.offsets), tuple(item.tensor_data.chunk.sizes)


def _resolved(planner: SavePlanner, item: WriteItem) -> Any:
    tensor = planner.resolve_data(item)
    name, expected = quoted(item.index.fqn), (_described(item)[0], _chunk(item)[1])
    if (getattr(tensor, "dtype", None), tuple(getattr(tensor, "shape", ()))) != expected:
        raise UnsupportedTensorError(f"{name} is not the tensor that was planned to be saved: plan again")
    return tensor
