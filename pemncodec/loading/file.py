"""`PemnFile`: a file opened lazily, whose tensors are decoded on request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..coding.delta.base_files import BaseFiles, Bases
from ..common.forks import cached_property
from ..container.header import Header
from ..container.manifest.rows import DEFAULT_MAX_BYTES, AliasRow, PlainRow, numel
from ..container.opening import PathOrBytes, memory_errors, naming, open_again, open_container, path_of, pickled
from ..container.reader import Container
from ..errors import FileAccessError, NotFoundError, PemnError
from ..errors.quoting import listed, quoted
from .threads import available_threads

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ..coding.decoder import Decoder
    from ..network.mask import Mask
    from .slices import TensorSlices


class PemnFile:
    """A `.pemn` file whose tensors are decoded one at a time, by any number of threads and forked processes.

    Use it as a context manager, or call `close`. It can be pickled (for `multiprocessing`, or the workers of a
    `DataLoader`) as its absolute path or its bytes, the task, `max_bytes` and the base. Unpickling opens
    the file again, and refuses another file.

    Args:
        source: a path, or the bytes of a file.
        task: the task to read, if the file holds several. Without one, such a file gives only its `tasks` and
            `metadata`.
        max_bytes: refuse to decode a tensor (or a prototype that it needs) of more bytes.
        base: for a delta, its base, a path or bytes; several, in any order, if the base is
            itself a delta. It is opened for the first tensor that needs it, which raises BaseFileError if it was not
            given or is another file. Other files need none.

    Raises:
        FormatError: the file is damaged or breaks the format (spec section 9).
        NotFoundError: the task is not in the file; or, when a tensor is requested, none was chosen and there are
            several.

    Example:
        >>> with pemncodec.open("model.pemn") as file:
        ...     weight = file.get_tensor("layer1.0.conv1.weight")
    """

    def __init__(
        self,
        source: PathOrBytes,
        *,
        task: str | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        base: BaseFiles = None,
    ) -> None:
        self._container = open_container(source)
        self._bases = Bases(base)
        self._decoder: Decoder | None = None
        self._max_bytes = max_bytes
        self._source = source
        self._pickled: PathOrBytes = source if path_of(source) is None else pickled(source)
        self._closed = False
        self._task_name = task
        if task is not None or not self.tasks:
            try:
                self._indices  # noqa: B018  an unknown task is an error at once
            except PemnError:
                self.close()
                raise

    @cached_property
    def _task(self) -> int:
        with naming(self._source):
            return _task_number(self._container, self._task_name)

    @cached_property
    def _indices(self) -> dict[str, int]:
        entries = self._container.manifest.entries
        return {entries[index].name: index for index in self._container.manifest.entries_of(self._task)}

    @property
    def metadata(self) -> dict[str, str]:
        """Metadata, string to string, as packed."""
        return dict(self._container.manifest.metadata)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks; empty for a file with one network."""
        return list(self._container.manifest.tasks)

    @property
    def base(self) -> str | None:
        """SHA-256 of the base of a delta, in hexadecimal; None for any other file."""
        return self._container.manifest.base

    @property
    def file_size(self) -> int:
        """Bytes of the file."""
        return self._container.header.file_size

    @property
    def decoded_size(self) -> int:
        """Bytes that decoding everything makes: tensors and prototypes (spec section 4.7)."""
        return self._container.manifest.decoded_bytes(self._task)

    def keys(self) -> list[str]:
        """Names of the tensors, in the order of the state_dict."""
        return list(self._indices)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor."""
        return self._container.manifest.resolve(self._index(name)).shape

    def dtype(self, name: str) -> str:
        """Element type of a tensor, by PyTorch's name without `torch.`: `"float32"`."""
        return self._container.manifest.entry_dtype(self._index(name)).name

    def alias_of(self, name: str) -> str | None:
        """The tensor that a tied tensor shares its memory with, or None."""
        row = self._container.manifest.entries[self._index(name)]
        return self._container.manifest.entries[row.target].name if isinstance(row, AliasRow) else None

    def is_masked(self, name: str) -> bool:
        """Return whether a tensor is a masked layer."""
        return not isinstance(self._container.manifest.resolve(self._index(name)), PlainRow)

    def get_tensor(self, name: str, *, device: str | torch.device = "cpu", threads: int | None = None) -> torch.Tensor:
        """One tensor, dense; `device` and `threads` as for `load_file`.

        Raises:
            NotFoundError: there is no tensor of that name.
            FormatError: its bytes are damaged, or more than `max_bytes` would be made.
            BaseFileError: the file is a delta, and its base was not given, or is another file.
        """
        from .tensors import load_entries

        workers = available_threads(threads)
        index = self._index(self.alias_of(name) or name)
        self.decoder.begin()
        with naming(self._source), memory_errors():
            loaded = load_entries(self.decoder, {name: index}, "dense", device, workers)
        return loaded[name][0][1]

    def get_numpy(self, name: str) -> NDArray[np.generic]:
        """One tensor as a numpy array, without torch; types that numpy lacks are unsigned integers."""
        from ..common.words import to_numpy

        index = self._index(name)
        self.decoder.begin()
        with naming(self._source), memory_errors():
            return to_numpy(self.decoder.words(index), self.decoder.dtype(index), self.decoder.shape(index))

    def get_slice(self, name: str) -> TensorSlices:
        """Parts of a tensor, as `file.get_slice(name)[a:b, c:d]`; nothing is decoded before; errors as `get_tensor`."""
        from .slices import TensorSlices

        return TensorSlices(self.decoder, self._index(name), self._source)

    def get_mask(self, name: str) -> Mask:
        """The mask of a masked layer, or a bool tensor as a mask, over all elements in row-major order.

        Raises:
            NotFoundError: there is no masked layer and no bool tensor of that name.
        """
        from ..network.mask import Mask

        if not self.is_masked(name) and self.dtype(name) != "bool":
            raise NotFoundError(f"{quoted(name)} has no mask")
        index = self._index(name)
        self.decoder.begin()
        with naming(self._source), memory_errors():
            packed = self.decoder.layer_mask(index)
        return Mask(packed, numel(self.shape(name)))

    @property
    def header(self) -> Header:
        """The header of the file."""
        return self._container.header

    @property
    def decoder(self) -> Decoder:
        """The decoder of the sections; made when it is first needed, because it needs numpy."""
        if self._decoder is None:
            from ..coding.decoder import Decoder

            self._decoder = Decoder(self._container, self._max_bytes, self._bases)
        return self._decoder

    @property
    def task(self) -> int:
        """Number of the chosen task; 0 where the file has none."""
        return self._task

    def index(self, name: str) -> int:
        """Number of an entry in the manifest.

        Raises:
            NotFoundError: there is no tensor of that name.
        """
        return self._index(name)

    def of_task(self, task: str) -> PemnFile:
        """The same opened file for another of its tasks. Closing either closes both.

        Raises:
            NotFoundError: the task is not in the file.
        """
        other = object.__new__(type(self))
        shared = {name: value for name, value in self.__dict__.items() if name not in ("_task", "_indices")}
        other.__dict__.update(shared, _task_name=task, _decoder=self.decoder)
        other._indices  # noqa: B018  an unknown task is an error at once
        return other

    def __repr__(self) -> str:
        path = path_of(self._source)
        what = "bytes" if path is None else repr(path)
        many = f"{len(self)} tensors" if self._task_name is not None or not self.tasks else f"{len(self.tasks)} tasks"
        return f"<PemnFile {what}: {many}, {self.file_size} bytes>"

    def _repr_html_(self) -> str:
        """The short form that notebooks show; nothing is decoded."""
        from .viewing.short import short_html

        name = path_of(self._source) or "a .pemn file in memory"
        return short_html(self._container, name, None if self._task_name is None else self._task)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._closed:
            raise FileAccessError("a closed PemnFile cannot be pickled: open it again")
        options = {"task": self._task_name, "max_bytes": self._max_bytes, "base": self._bases.pickled()}
        return open_again, (type(self), pickled(self._pickled), options, self.header)

    def close(self) -> None:
        """Close the file, and its base."""
        self._closed = True
        self._container.close()
        self._bases.close()

    def _index(self, name: str) -> int:
        try:
            return self._indices[name]
        except KeyError:
            raise NotFoundError(f"there is no tensor {quoted(name)} in the file; keys() lists what is there") from None

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.get_tensor(name)

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[str]:
        return iter(self._indices)

    def __contains__(self, name: object) -> bool:
        return name in self._indices

    def __enter__(self) -> PemnFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _task_number(container: Container, task: str | None) -> int:
    tasks = container.manifest.tasks
    if task is None:
        if tasks:
            raise NotFoundError(f"the file holds {len(tasks)} tasks: choose one of {listed(tasks)}")
        return 0
    if task not in tasks:
        raise NotFoundError(f"there is no task {quoted(task)} in the file; it has {listed(tasks)}")
    return tasks.index(task) + 1


@contextmanager
def opened_file(
    source: PathOrBytes | PemnFile, task: str | None, base: BaseFiles, max_bytes: int
) -> Iterator[PemnFile]:
    """Open a file for one of its tasks, and close it; one that is open already stays so."""
    if isinstance(source, PemnFile):
        yield source if task is None else source.of_task(task)
        return
    with PemnFile(source, task=task, base=base, max_bytes=max_bytes) as opened:
        yield opened


@contextmanager
def open_decoder(
    source: PathOrBytes, *, max_bytes: int = DEFAULT_MAX_BYTES, base: BaseFiles = None
) -> Iterator[Decoder]:
    """Open the decoder of all tasks of a file; arguments as for `PemnFile`.

    Raises:
        FormatError, FileAccessError: the file cannot be opened.
    """
    from ..coding.decoder import Decoder

    container, bases = open_container(source), Bases(base)
    try:
        yield Decoder(container, max_bytes, bases)
    finally:
        container.close()
        bases.close()
