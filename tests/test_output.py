"""Outputs appear whole or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pemncodec import errors, output


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
        assert temporary.parent == path.parent
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
    with pytest.raises(errors.OutputExistsError, match="exists already"):
        write_whole(path, b"new", overwrite=False)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(errors.OutputExistsError):
        write_whole(tmp_path / "dangling", b"new", overwrite=False)
    with pytest.raises(errors.OutputError, match="is no ordinary file"):
        write_whole(tmp_path, b"new")
    with pytest.raises(errors.OutputError, match="is no ordinary file"):
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
