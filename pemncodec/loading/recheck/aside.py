"""Read a checkpoint in another process, while this one packs it.

`torch.load` takes some 60 µs of Python for a tensor, so of a checkpoint of very many tensors the second reading takes
as long as much else, and waits for nothing. The other process runs `raw.read` as this one would, and leaves the values
and the containers in a file without a name. Where anything fails there, this process reads.
"""

from __future__ import annotations

import io
import json
import mmap
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import torch

# Records of an archive from which on another process pays, and bytes up to which it does: it keeps a copy.
_MANY, _LARGEST = 20_000, 1 << 30
# The last record of a zip archive without a comment: its signature, where it counts the others, and its length.
_END, _COUNT, _END_SIZE = b"PK\x05\x06", 10, 22
# Isolated, so that the folder of the user is not searched for modules; then what this process imports from.
_CODE = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from pemncodec.loading.recheck.aside import main; main()"
)
_ALIGNED = 16


def has_many_tensors(path: Path) -> bool:
    """Return whether a file is an archive of so many records that another process should read it, too."""
    with suppress(OSError):
        if path.is_file() and _END_SIZE < path.stat().st_size <= _LARGEST:
            with path.open("rb") as file:
                file.seek(-_END_SIZE, io.SEEK_END)
                end = file.read(_END_SIZE)
            return end[:4] == _END and int.from_bytes(end[_COUNT : _COUNT + 2], "little") >= _MANY
    return False


class Aside:
    """Second readings that other processes do. Use it in `with`, which ends them.

    Args:
        paths: checkpoints; those of many tensors are read.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._running: dict[Path, tuple[subprocess.Popen[bytes], BinaryIO]] = {}
        for path in paths:
            if has_many_tensors(path) and path not in self._running:
                self._start(path)

    def read(self, path: Path, *, unsafe: bool = False) -> Any:
        """Return what `raw.read` returns, and raise what it raises."""
        from . import raw

        process, file = self._running.pop(path, (None, None))
        if process is None or file is None:
            return raw.read(path, unsafe=unsafe)
        with file:
            if process.wait() == 0:
                return _loaded(file)
        return raw.read(path, unsafe=unsafe)

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, *_: object) -> None:
        for process, file in self._running.values():
            process.kill()
            process.wait()
            file.close()
        self._running.clear()

    def _start(self, path: Path) -> None:
        command = [sys.executable, "-I", "-c", _CODE, json.dumps(sys.path), str(path.absolute())]
        with suppress(OSError):
            file = tempfile.TemporaryFile()  # noqa: SIM115
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.DEVNULL, close_fds=True
                )
            except OSError:
                file.close()
                raise
            self._running[path] = process, file


def _loaded(file: BinaryIO) -> Any:
    """The containers at the end of the file, around the values before them."""
    size = file.seek(0, io.SEEK_END)
    data = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
    start = int.from_bytes(data[-8:], "little")
    return _Reader(io.BytesIO(data[start:-8]), memoryview(data)).load()


class _Reader(pickle.Unpickler):
    """Reads what `_Writer` has written; tensors are views of `values`."""

    def __init__(self, pickled: BinaryIO, values: memoryview) -> None:
        super().__init__(pickled)
        self._values = values

    def persistent_load(self, pid: Any) -> torch.Tensor:
        import torch

        dtype, shape, offset, count = pid
        kind = getattr(torch, dtype)
        if not count:
            return torch.empty(shape, dtype=kind)
        return torch.frombuffer(self._values, dtype=kind, count=count, offset=offset).view(shape)


class _Writer(pickle.Pickler):
    """Pickles containers, and writes the bytes of tensors into a file.

    Attributes:
        place: bytes that were written there.
    """

    def __init__(self, pickled: BinaryIO, values: BinaryIO) -> None:
        super().__init__(pickled, protocol=5)
        self._values = values
        self.place = 0

    def persistent_id(self, value: Any) -> tuple[str, tuple[int, ...], int, int] | None:
        import torch

        from .raw import bytes_of

        if type(value) not in (torch.Tensor, torch.nn.Parameter):
            return None
        data = bytes_of(value).data
        padding = -len(data) % _ALIGNED
        self._values.write(data)
        self._values.write(bytes(padding))
        start, self.place = self.place, self.place + len(data) + padding
        return str(value.dtype).removeprefix("torch."), tuple(value.shape), start, value.numel()


def main() -> None:
    """Read the checkpoint that the command line names, and write it to standard output."""
    import torch

    from . import raw

    torch.set_num_threads(1)
    whole = raw.read(Path(sys.argv[2]))
    pickled = io.BytesIO()
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:
        writer = _Writer(pickled, out)
        writer.dump(whole)
        out.write(pickled.getbuffer())
        out.write(writer.place.to_bytes(8, "little"))
