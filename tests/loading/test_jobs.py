"""Jobs on several threads, and loading on them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import pemncodec
from pemncodec.common import kernels
from pemncodec.errors import ChecksumError, NetworkError
from pemncodec.loading.threads import Job, available_threads, run

from .. import published


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_job_is_done_once_also_those_that_jobs_bring(threads: int) -> None:
    done: list[tuple[int, int]] = []

    def job(depth: int, number: int) -> Job:
        def work() -> Iterator[Job]:
            done.append((depth, number))
            for child in range(3 if depth < 3 else 0):
                yield job(depth + 1, 3 * number + child)

        return work

    run([job(0, 0), job(0, 1)], threads)
    assert sorted(done) == [(depth, number) for depth in range(4) for number in range(2 * 3**depth)]


def test_threads_work_at_the_same_time() -> None:
    """Each of three jobs waits for the other two."""
    barrier = threading.Barrier(3, timeout=60)

    def work() -> None:
        barrier.wait()

    run([work] * 3, 3)


def test_a_generator_of_jobs_runs_outside_of_the_lock() -> None:
    """It is where a mask is decoded: two of them at the same time."""
    barrier = threading.Barrier(2, timeout=60)

    def work() -> Iterator[Job]:
        barrier.wait()
        yield lambda: None

    run([work, work], 2)


@pytest.mark.parametrize("threads", [1, 4])
def test_the_first_failure_ends_the_rest(threads: int) -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("of the second job")

    def slow(number: int) -> Job:
        def work() -> None:
            time.sleep(0.01)
            done.append(number)

        return work

    before = threading.active_count()
    with pytest.raises(ValueError, match="of the second job"):
        run([slow(0), fail, *map(slow, range(1, 1000))], threads)
    assert len(done) < 500
    assert threading.active_count() == before


def test_progress_comes_from_the_calling_thread() -> None:
    callers: set[threading.Thread] = set()
    state = {f"w{i}": torch.rand(1000, 1100) for i in range(6)}
    pemncodec.load(pemncodec.save(state), threads=4, progress=lambda *_: callers.add(threading.current_thread()))
    assert callers == {threading.current_thread()}


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_no_number_of_threads(threads: object) -> None:
    with pytest.raises(NetworkError, match=r"threads is .*, and must be 1 or more"):
        available_threads(threads)  # type: ignore[arg-type]


def large_network() -> published.StateDict:
    """Layers of more than a piece, shared vectors and kept values, small tensors in common blocks, a tie."""
    g = torch.Generator().manual_seed(0)
    state: published.StateDict = {}
    vector = torch.randn(4001, generator=g)
    for i, rows in enumerate((1500, 1100, 3)):
        count = rows * 1001
        state[f"l{i}.weight"] = vector.repeat(count // 4001 + 1)[:count].reshape(rows, 1001)
        state[f"l{i}.scores"] = torch.rand(rows, 1001, generator=g)
        state[f"l{i}.bias"] = torch.randn(rows, generator=g)
    state["full.weight"] = torch.randn(1100, 1001, generator=g)
    state["full.scores"] = torch.rand(1100, 1001, generator=g)
    state["tied"] = state["l0.bias"]
    return state


@pytest.mark.parametrize("keep", [0.5, 0.3, 0.02])
def test_the_same_bits_with_any_number_of_threads(keep: float, monkeypatch: pytest.MonkeyPatch) -> None:
    state = large_network()
    data = pemncodec.save(state, keep=keep, ties="stable")
    expected = published.effective(state, keep)
    for compiled in (kernels.compiled, None):
        monkeypatch.setattr(kernels, "compiled", compiled)
        for threads in (1, 2, 5):
            loaded = pemncodec.load(data, threads=threads)
            assert list(loaded) == list(expected)
            for name, tensor in loaded.items():
                assert torch.equal(tensor.view(torch.int32), expected[name].view(torch.int32)), name
            assert loaded["tied"] is loaded["l0.bias"]


@pytest.mark.parametrize("threads", [1, 4])
def test_damage_is_found_by_every_thread(tmp_path: Path, threads: int) -> None:
    path = tmp_path / "a.pemn"
    pemncodec.save_file(large_network(), path, keep=0.5, ties="stable")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ChecksumError, match=f"{path.name}: the file is damaged between byte"):
        pemncodec.load_file(path, threads=threads)
