"""One open file in several processes: forked, spawned, pickled; and a file that changes while it is open."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import pemncodec
from pemncodec.coding.cache import Once
from pemncodec.common.forks import ProcessLock, cached_property
from pemncodec.container import source
from pemncodec.generators.pytorch import mt19937

from .. import published
from ..readers import Expected, first_numbers, wrong_reads

# A fork while threads run is what is tested here; from Python 3.12 on it warns.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
SECONDS = 60


def state(seed: int, large: int = 3) -> dict[str, torch.Tensor]:
    """Pruned layers, small tensors in a common block, and one of several pages."""
    g = torch.Generator().manual_seed(seed)
    made = {
        f"l{i}.weight": torch.randn(24, 31, generator=g) * (torch.rand(24, 31, generator=g) > 0.7) for i in range(9)
    }
    made = {name: tensor + 0.0 for name, tensor in made.items()}  # no -0.0, which pruning does not keep
    made |= {f"l{i}.bias": torch.randn(24, generator=g) for i in range(9)}
    return made | {f"large{i}": torch.randn(9_000, generator=g) for i in range(large)}


def changed() -> dict[str, torch.Tensor]:
    """The first network after a few steps of training."""
    made = state(0)
    made["large1"][:40] += 1
    made["l3.bias"][3] = 7
    return made


def expected(made: dict[str, torch.Tensor]) -> Expected:
    return {name: published.bits(tensor) for name, tensor in made.items()}


Opened = tuple[list[pemncodec.PemnFile], list[Expected]]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two networks, a delta and its base, and a file of tasks."""
    folder = tmp_path_factory.mktemp("packed")
    for seed in (0, 1):
        pemncodec.save_file(state(seed), folder / f"{seed}.pemn")
    pemncodec.save_file(changed(), folder / "delta.pemn", base=folder / "0.pemn")
    pemncodec.save_tasks({"a": state(2, large=1), "b": state(3, large=1)}, folder / "tasks.pemn")
    return folder


@pytest.fixture
def opened(packed: Path) -> Iterator[Opened]:
    """Files that stay open, and one in memory; all were read, so that their pages are checked."""
    files = [pemncodec.open(packed / f"{seed}.pemn") for seed in (0, 1)]
    files.append(pemncodec.open(packed / "delta.pemn", base=packed / "0.pemn"))
    assert files[-1].base is not None
    files.append(pemncodec.open(packed / "tasks.pemn", task="b"))
    files.append(pemncodec.open((packed / "1.pemn").read_bytes()))
    wanted = [expected(made) for made in (state(0), state(1), changed(), state(3, large=1), state(1))]
    assert wrong_reads(files, wanted, 0, 200) == 0
    yield files, wanted
    for file in files:
        file.close()


def read_all(file: pemncodec.PemnFile) -> None:
    for name in file:
        file.get_numpy(name)


def in_child(do: Callable[[], Any]) -> int:
    """Fork, and return the number of a child that exits with what `do` returns."""
    child = os.fork()
    if child:
        return child
    status = 99
    try:
        status = min(int(do() or 0), 98)
    finally:
        os._exit(status)


def status(child: int) -> int:
    """Return the exit status of a child; kill the child and fail if it hangs."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        number, found = os.waitpid(child, os.WNOHANG)
        if number:
            return os.waitstatus_to_exitcode(found)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the child hangs")


@FORK
def test_forked_readers_get_the_right_bits(opened: Opened) -> None:
    """Four processes read from the same open files at the same time, and so does the parent."""
    children = [in_child(lambda seed=seed: wrong_reads(*opened, seed, 1000)) for seed in range(4)]  # type: ignore[misc]
    own = wrong_reads(*opened, 9, 500)
    assert [status(child) for child in children] == [0, 0, 0, 0]
    assert own == 0


def test_spawned_readers_get_the_right_bits(opened: Opened) -> None:
    files, wanted = opened
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(wrong_reads, files, wanted, seed, 1000) for seed in range(4)]
        assert [job.result(SECONDS) for job in jobs] == [0, 0, 0, 0]


@FORK
def test_threads_of_parent_and_children_read_at_the_same_time(opened: Opened) -> None:
    """The threads take and leave locks while the children are forked, and each child has threads of its own."""
    wrong: list[int] = []
    stop = threading.Event()

    def reading(seed: int) -> None:
        while not stop.is_set():
            wrong.append(wrong_reads(*opened, seed, 20))

    def several() -> int:
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(wrong_reads(*opened, 5, 300))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(found) + 3 - len(found)

    threads = [threading.Thread(target=reading, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    try:
        children = [in_child(several) for _ in range(6)]
        assert [status(child) for child in children] == [0] * 6
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert sum(wrong) == 0


class _Held:
    """A thread that stays inside of something until it is let go on."""

    def __init__(self, enter: Callable[[Callable[[], None]], Any]) -> None:
        self._inside, self._go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=enter, args=(self._wait,))

    def _wait(self) -> None:
        self._inside.set()
        self._go.wait(SECONDS)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._inside.wait(SECONDS)

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._thread.join()


class _Lazy:
    wait: Callable[[], None] = staticmethod(lambda: None)

    @cached_property
    def value(self) -> int:
        """Three."""
        self.wait()
        return 3


@FORK
def test_no_lock_is_inherited_locked() -> None:
    """A child itself does what another thread had begun at the fork; it does not wait for that thread."""
    once: Once[int] = Once()
    lock = ProcessLock()

    def making(wait: Callable[[], None]) -> None:
        once("key", lambda: wait() or 1)  # type: ignore[func-returns-value]

    def locked(wait: Callable[[], None]) -> None:
        with lock:
            wait()

    def streams(wait: Callable[[], None]) -> None:
        with mt19937._lock:
            wait()

    def lazy(wait: Callable[[], None]) -> None:
        slow = _Lazy()
        slow.wait = wait
        assert slow.value == 3

    def child() -> int:
        with lock:
            pass
        return (
            once("key", lambda: 2) != 2
            or once("key", lambda: 3) != 2
            or len(mt19937.stream(5)) < 1
            or _Lazy().value != 3
        )

    with _Held(making), _Held(locked), _Held(streams), _Held(lazy):
        assert status(in_child(child)) == 0
    assert once("key", lambda: 2) == 1


@FORK
def test_a_base_is_found_by_a_child_while_a_thread_looks_for_it(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of the bases is held while their digests are computed, which takes long for large ones."""
    with pemncodec.open(packed / "delta.pemn", base=packed / "0.pemn") as file:

        def find(wait: Callable[[], None]) -> None:
            read, paused = source.FileSource.read, threading.current_thread()

            def slow(self: source.FileSource, start: int, count: int) -> bytes:
                if threading.current_thread() is paused:
                    wait()
                return read(self, start, count)

            with monkeypatch.context() as patch:
                patch.setattr(source.FileSource, "read", slow)
                file.decoder.base()

        with _Held(find):
            assert status(in_child(lambda: wrong_reads([file], [expected(changed())], 1, 50))) == 0
        assert wrong_reads([file], [expected(changed())], 2, 50) == 0


def test_an_open_file_is_pickled_and_opened_again(opened: Opened) -> None:
    for file, wanted in zip(*opened, strict=True):
        for again in (pickle.loads(pickle.dumps(file)), copy.copy(file), copy.deepcopy(file)):
            with again:
                assert type(again) is pemncodec.PemnFile
                assert again.keys() == file.keys()
                assert again.task == file.task
                assert {name: again.get_numpy(name).tobytes() for name in again} == wanted


def test_relative_paths_are_of_the_folder_in_which_the_file_was_opened(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(packed)
    with pemncodec.open("delta.pemn", base="0.pemn", max_bytes=50_000) as file:
        monkeypatch.chdir(tmp_path)
        again = pickle.loads(pickle.dumps(file))
        with again:
            assert wrong_reads([again], [expected(changed())], 1, 50) == 0
            assert again.decoder.max_bytes == 50_000


def test_bytes_are_pickled_as_they_are() -> None:
    data = bytearray(pemncodec.save(state(0), base=None))
    with pemncodec.open(memoryview(data)) as file, pickle.loads(pickle.dumps(file)) as again:
        assert wrong_reads([again], [expected(state(0))], 1, 50) == 0


def test_what_cannot_be_opened_again_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.pemn"
    pemncodec.save_file(state(0), path)
    file = pemncodec.open(path)
    stored = pickle.dumps(file)
    file.close()
    with pytest.raises(pemncodec.FileAccessError, match="a closed PemnFile cannot be pickled: open it again"):
        pickle.dumps(file)
    pemncodec.save_file(state(1), path)
    with pytest.raises(pemncodec.FileAccessError, match=r"a\.pemn: the file has changed since it was pickled"):
        pickle.loads(stored)
    path.write_bytes(b"something else")
    with pytest.raises(pemncodec.MagicError, match=r"a\.pemn: not a \.pemn file"):
        pickle.loads(stored)
    path.unlink()
    with pytest.raises(pemncodec.FileAccessError, match=r"a\.pemn cannot be read: No such file"):
        pickle.loads(stored)


class _Rows(Dataset[torch.Tensor]):
    """The pattern of whoever stores a network and evaluates it: an open file in a data set."""

    def __init__(self, file: pemncodec.PemnFile) -> None:
        self.file = file

    def __len__(self) -> int:
        return 40 * len(self.file)

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(np.array(first_numbers(self.file, self.file.keys()[index % len(self.file)])))


@pytest.mark.parametrize("start", [pytest.param("fork", marks=FORK), "spawn"])
def test_a_data_loader_takes_an_open_file(tmp_path: Path, start: str) -> None:
    pemncodec.save_file(state(0), tmp_path / "a.pemn")
    with pemncodec.open(tmp_path / "a.pemn") as file:
        first = [first_numbers(file, name).tobytes() for name in file]
        loader = DataLoader(_Rows(file), batch_size=7, num_workers=2, multiprocessing_context=start)
        found = [published.bits(row) for batch in loader for row in batch]
    assert found == 40 * first


# --- the source itself ------------------------------------------------------------------------------------------------


def test_short_reads_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal, a network file system, or more than 2 GiB: a read may give less than was asked for."""
    path = tmp_path / "a"
    data = os.urandom(1000)
    path.write_bytes(data)
    opened = source.FileSource(path)
    whole = os.pread
    asked: list[int] = []

    def short(number: int, count: int, start: int) -> bytes:
        asked.append(count)
        return whole(number, min(count, 7), start)

    monkeypatch.setattr(source, "_AT_A_TIME", 10)
    monkeypatch.setattr(os, "pread", short)
    for start, count in ((0, 1000), (3, 50), (990, 10), (5, 0), (0, 7)):
        assert opened.read(start, count) == data[start : start + count]
    assert max(asked) <= 10
    with pytest.raises(pemncodec.TruncatedError, match="the file became shorter while it was read: 20 bytes at 990"):
        opened.read(990, 20)
    with pytest.raises(pemncodec.TruncatedError):
        opened.read(1000, 1)


@FORK
def test_without_pread_each_process_has_a_handle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pread")
    pemncodec.save_file(state(0), tmp_path / "a.pemn")
    with pemncodec.open(tmp_path / "a.pemn") as file:
        assert wrong_reads([file], [expected(state(0))], 0, 100) == 0
        children = [in_child(lambda seed=seed: wrong_reads([file], [expected(state(0))], seed, 500)) for seed in (1, 2)]  # type: ignore[misc]
        assert wrong_reads([file], [expected(state(0))], 3, 500) == 0
        assert [status(child) for child in children] == [0, 0]
        (tmp_path / "a.pemn").rename(tmp_path / "old")
        pemncodec.save_file(state(1), tmp_path / "a.pemn")
        assert status(in_child(lambda: _said(file, "its path now holds another file"))) == 0
        assert wrong_reads([file], [expected(state(0))], 3, 50) == 0


def _said(file: pemncodec.PemnFile, phrase: str) -> bool:
    try:
        file.get_numpy("large0")
    except pemncodec.FileAccessError as reason:
        return phrase not in str(reason)
    return True


def test_a_file_that_is_replaced_stays_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.pemn"
    pemncodec.save_file(state(0), path)
    with pemncodec.open(path) as file:
        pemncodec.save_file(state(1), path)
        assert wrong_reads([file], [expected(state(0))], 1, 50) == 0


def test_a_file_that_is_written_over_is_checked_again(tmp_path: Path) -> None:
    path = tmp_path / "a.pemn"
    pemncodec.save_file(state(0), path)
    with pemncodec.open(path) as file:
        before = file.get_numpy("large0")
        raw = bytearray(path.read_bytes())
        os.utime(path)
        assert file.get_numpy("large0").tobytes() == before.tobytes()
        raw[-1500] ^= 1
        with path.open("r+b") as other:
            other.write(raw)
        with pytest.raises(pemncodec.ChecksumError, match=r"a\.pemn: the file is damaged between byte"):
            read_all(file)
        os.truncate(path, len(raw) - 2000)
        with pytest.raises(pemncodec.TruncatedError, match=r"a\.pemn: the file became shorter while it was read"):
            read_all(file)


def test_a_closed_file_is_not_another_one(tmp_path: Path) -> None:
    """The number of its descriptor goes to the next file; a read that began before keeps it."""
    (tmp_path / "a").write_bytes(b"a" * 10)
    (tmp_path / "b").write_bytes(b"b" * 10)
    opened = source.FileSource(tmp_path / "a")
    reading = opened._opened()
    opened.close()
    others = [source.FileSource(tmp_path / "b") for _ in range(20)]
    assert reading.read(0, 3) == b"aaa"
    with pytest.raises(pemncodec.FileAccessError, match="the file was closed"):
        opened.read(0, 1)
    assert others[0].read(0, 1) == b"b"
    memory = source.MemorySource(b"abc")
    memory.close()
    with pytest.raises(pemncodec.FileAccessError, match="the file was closed"):
        memory.read(0, 1)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # nobody writes into it
    for path, reason in (
        (tmp_path / "pipe", "a pipe or device has no positions to read at; save it to a file first"),
        (Path(os.devnull), "a pipe or device"),
        (tmp_path, "Is a directory"),
        (Path("a\0b"), "embedded null"),
        (Path("x" * 300), "File name too long"),
    ):
        with pytest.raises(pemncodec.FileAccessError, match=f"cannot be read: {reason}"):
            pemncodec.open(path)
