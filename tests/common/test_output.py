"""Outputs appear whole or not at all."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pemncodec import errors
from pemncodec.common import files as output

WRITING = """
import sys, time
from pathlib import Path
from pemncodec.common import files
what, path = sys.argv[1:]
with getattr(files, what)(path) as temporary:
    (temporary / "inside" if what == "whole_folder" else temporary).write_bytes(b"half")
    (temporary.parent / "of a library").write_bytes(b"too")
    print("writing", flush=True)
    time.sleep(600)
"""


def write_whole(path: str | Path, data: bytes, *, overwrite: bool = True) -> None:
    with output.whole_file(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


def test_a_failure_leaves_nothing_behind_and_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def half() -> None:
        with output.whole_file(path) as temporary:
            temporary.write_bytes(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_never_seen_half_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with output.whole_file(path) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()
        assert temporary.parent.parent == path.parent
    assert path.read_bytes() == b"new"


def test_permissions_are_the_umask_or_the_old_ones(tmp_path: Path) -> None:
    path, plain = tmp_path / "a", tmp_path / "plain"
    plain.touch()
    write_whole(path, b"1")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    path.chmod(0o640)
    write_whole(path, b"2")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(errors.OutputExistsError, match="already exists"):
        write_whole(path, b"new", overwrite=False)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(errors.OutputExistsError):
        write_whole(tmp_path / "dangling", b"new", overwrite=False)
    with pytest.raises(errors.OutputError, match="is not a regular file"):
        write_whole(tmp_path, b"new")
    with pytest.raises(errors.OutputError, match="is not a regular file"):
        write_whole("/dev/null", b"new")
    with pytest.raises(errors.OutputError, match="cannot be written: Not a directory"):
        write_whole(path / "b", b"new")
    assert path.read_bytes() == b"old"


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a"

    def race() -> None:
        with output.whole_file(path, overwrite=False) as temporary:
            temporary.write_bytes(b"mine")
            path.write_bytes(b"theirs")

    with pytest.raises(errors.OutputExistsError):
        race()
    assert path.read_bytes() == b"theirs"


def test_a_link_is_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


# --- what killed processes leave --------------------------------------------------------------------------------------


def start_writing(what: str, path: Path) -> subprocess.Popen[str]:
    """A process that is in the middle of writing."""
    command = [sys.executable, "-c", WRITING, what, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def write_folder(path: Path, data: bytes) -> None:
    with output.whole_folder(path) as temporary:
        (temporary / "inside").write_bytes(data)


WRITERS: dict[str, Callable[[Path, bytes], None]] = {"whole_file": write_whole, "whole_folder": write_folder}


@pytest.mark.parametrize("what", list(WRITERS))
def test_the_next_run_removes_what_a_killed_process_left(tmp_path: Path, what: str) -> None:
    path, other = tmp_path / "out", tmp_path / "out2"
    for process in [start_writing(what, path), start_writing(what, path), start_writing(what, other)]:
        kill(process)
    assert len(list(tmp_path.iterdir())) == 3
    WRITERS[what](path, b"new")
    names = {found.name for found in tmp_path.iterdir()}
    assert "out" in names
    assert len(names) == 2, "what was left of another output stays until that one is written"
    WRITERS[what](other, b"new")
    assert {found.name for found in tmp_path.iterdir()} == {"out", "out2"}


@pytest.mark.parametrize("what", list(WRITERS))
def test_what_another_process_is_writing_stays(tmp_path: Path, what: str) -> None:
    path = tmp_path / "out"
    process = start_writing(what, path)
    try:
        before = sorted(tmp_path.rglob("*"))
        WRITERS[what](path, b"new")
        assert [found for found in before if not found.exists()] == []
    finally:
        kill(process)


def test_what_another_thread_is_writing_stays(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with output.whole_file(path) as slow:
        slow.write_bytes(b"slow")
        thread = threading.Thread(target=write_whole, args=(path, b"fast"))
        thread.start()
        thread.join()
        assert path.read_bytes() == b"fast"
        assert slow.read_bytes() == b"slow"
    assert path.read_bytes() == b"slow"


def test_what_only_looks_alike_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"
    kill(start_writing("whole_file", path))
    (left,) = tmp_path.iterdir()
    alike = [left.name[:-6] + ".part", left.name[:-5] + "0.part", left.name + "2", ".out.part", left.name.upper()]
    for name in alike:
        shutil.copytree(left, tmp_path / name)
    end = left.name[-21:]
    ours = left.name.removesuffix(end)
    (tmp_path / (ours + "0" * 16 + ".part")).write_text("a file")
    (tmp_path / (ours + "1" * 16 + ".part")).symlink_to(tmp_path / ".out.part")
    alike += [ours + "0" * 16 + ".part", ours + "1" * 16 + ".part"]
    monkeypatch.setattr(platform, "node", lambda: "another machine")
    write_whole(path, b"1")
    assert left.exists(), "of another machine, whose locks may not be seen here"
    monkeypatch.undo()
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    write_whole(path, b"2")
    assert left.exists(), "of another user"
    monkeypatch.undo()
    write_whole(path, b"3")
    assert not left.exists()
    assert {found.name for found in tmp_path.iterdir()} == {"out", *alike}


def test_where_nothing_can_be_locked_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"
    kill(start_writing("whole_file", path))
    (left,) = tmp_path.iterdir()

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    with output.whole_file(path) as unlocked:
        monkeypatch.undo()
        write_whole(path, b"newer")
        assert unlocked.exists()
        assert not left.exists()
    monkeypatch.setattr(output, "fcntl", None)  # as on Windows
    write_whole(path, b"newest")
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_found_before_it_is_locked_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may look for what was left between the creation of a folder and its locking."""
    path = tmp_path / "out"
    lock = output._lock
    made: list[Path] = []

    def late(folder: Path) -> int | None:
        if folder not in made:
            made.append(folder)
            if len(made) == 1:
                with monkeypatch.context() as patch:
                    patch.setattr(output, "_lock", lock)
                    output._remove_left(path)
                assert not folder.exists()
            if len(made) == 2:
                handle = lock(folder)
                assert handle is not None
                found = lock(folder)
                os.close(handle)
                return found
        return lock(folder)

    monkeypatch.setattr(output, "_lock", late)
    with output.whole_file(path) as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == made[2]
    assert list(tmp_path.iterdir()) == [path]


# --- names and permissions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x" * 255, "層" * 85, "ä" * 127 + "x", "層" * 83 + ".pemn", "\udcff" * 200])
def test_names_are_as_long_as_the_file_system_takes_bytes(tmp_path: Path, name: str) -> None:
    write_whole(tmp_path / name, b"new")
    write_whole(tmp_path / name, b"newer")
    assert (tmp_path / name).read_bytes() == b"newer"
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / name).unlink()
    write_folder(tmp_path / name, b"new")
    assert (tmp_path / name / "inside").read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("path", ["x" * 256, "層" * 86, "a\0b", "none/a", "loop", "/proc/a"])
@pytest.mark.parametrize("what", list(WRITERS))
def test_what_cannot_be_written_is_one_line(tmp_path: Path, what: str, path: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(errors.OutputError, match="cannot be written: ") as caught:
        WRITERS[what](tmp_path / path, b"new")
    assert len(str(caught.value)) <= 200
    assert [found.name for found in tmp_path.iterdir()] == ["loop"]


@pytest.mark.parametrize("what", list(WRITERS))
def test_the_umask_is_not_changed_for_other_threads(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even for a moment: a file that another thread creates then would be open to everybody."""
    old = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:
            patch.delattr(os, "umask")
            WRITERS[what](tmp_path / "out", b"new")
        assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == (0o640 if what == "whole_file" else 0o750)
    finally:
        os.umask(old)


def test_whoever_writes_may_put_another_file_there(tmp_path: Path) -> None:
    """As safetensors does, whose files are readable by their owner only."""
    old = os.umask(0o022)
    try:
        with output.whole_file(tmp_path / "out") as temporary:
            other = temporary.with_name("other")
            other.write_bytes(b"new")
            other.chmod(0o600)
            other.replace(temporary)
        assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o644
    finally:
        os.umask(old)


def test_nobody_else_sees_what_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with output.whole_file(path) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
        assert stat.S_IMODE(temporary.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
