"""`verify_file`: check every page of a file, and decode everything in it."""

from __future__ import annotations

from ..coding.delta.base_files import BaseFiles
from ..common import kernels
from ..common.progress import Reporting, callback, silent
from ..container.manifest.rows import DEFAULT_MAX_BYTES, AliasRow
from ..container.opening import PathOrBytes, memory_errors, naming
from .file import open_decoder


def verify_file(
    source: PathOrBytes, *, max_bytes: int = DEFAULT_MAX_BYTES, base: BaseFiles = None, progress: Reporting = silent
) -> int:
    """Check every page, and decode every entry of every task, one at a time.

    Of a base, only the sections that are needed are checked.

    Returns:
        The number of entries.

    Raises:
        FormatError: as spec section 9 says.
        BaseFileError: the file is a delta, and its base was not given, or is another file.
    """
    report = callback(progress)
    with open_decoder(source, max_bytes=max_bytes, base=base) as decoder:
        container = decoder.container
        size = container.header.payload_size
        with naming(source):
            decoder.check_limit(decoder.manifest.decoded_bytes(None), "the file")
            kernels.say_if_missing(decoder.manifest.decoded_bytes(None))
            decoder.expect(range(len(container.manifest.entries)))
            for done in container.check_pages():
                report(done, 2 * size, "checksums")
        entries = container.manifest.entries
        with naming(source), memory_errors():
            for index, row in enumerate(entries):
                report(len(entries) + index, 2 * len(entries), row.name)
                if not isinstance(row, AliasRow):
                    for _ in decoder.pieces(index):
                        pass
        report(1, 1, "")
        return len(entries)
