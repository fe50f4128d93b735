"""The vectors are those that their script writes; once, since no compiled loop takes part."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import zstandard

from ..networks import SPEC

VECTORS = SPEC / "vectors"
# The zstd library that compressed the files below, and those files; all other frames were made by hand.
WRITTEN_WITH = (1, 5, 7)
BY_LIBRARY = ("manifest_zstd", "manifest_zstd_checksum", "zstd_frames", "block_zstd", "blocks_of_nothing")
BY_LIBRARY_TOO = ("too_many_", "names_too_many_bytes")


def test_vectors_are_what_the_script_writes(tmp_path: Path) -> None:
    copy = tmp_path / "spec"
    shutil.copytree(SPEC, copy, ignore=shutil.ignore_patterns("vectors", "__pycache__", ".*cache"))
    subprocess.run([sys.executable, str(copy / "vector_maker")], check=True, cwd=tmp_path, timeout=300)
    written = {path.relative_to(copy) for path in (copy / "vectors").rglob("*") if path.is_file()}
    kept = {path.relative_to(SPEC) for path in VECTORS.rglob("*") if path.is_file()}
    assert written == kept
    same_library = zstandard.ZSTD_VERSION == WRITTEN_WITH
    for path in sorted(kept):
        if same_library or not (path.stem in BY_LIBRARY or path.stem.startswith(BY_LIBRARY_TOO)):
            assert (copy / path).read_bytes() == (SPEC / path).read_bytes(), path
