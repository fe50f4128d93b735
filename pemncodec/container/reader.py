"""A file that is read: header, manifest, page table, and sections on demand (spec sections 2 and 3)."""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Hashable, Iterable, Iterator
from itertools import accumulate

from ..common.allowance import Allowance
from ..errors import ChecksumError, ManifestError
from . import frames
from .cursor import Payload
from .header import PAGE, SIZE, read_header
from .manifest.rows import Manifest
from .manifest.tables import read_manifest
from .manifest.validation import validate
from .source import Source

# What the tables of a file may take in memory: so many bytes, and so many more for each byte of the file. A hundred
# thousand tensors take some 25 MB; 1,200 bytes of zstd can be a manifest whose tables take 500.
TABLES_BYTES, TABLES_PER_BYTE = 40 << 20, 64
WHOLE = slice(None)


def tables_allowance(file_size: int) -> Allowance:
    """The memory that the tables of a file of this size may take."""
    reason = "the tables of the manifest take {count} bytes in memory, but {most} are allowed for a file of this size"
    return Allowance(TABLES_BYTES + TABLES_PER_BYTE * file_size, reason)


class Container:
    """An opened file: its manifest, and its sections on demand.

    Opening reads header, manifest and page table, and validates them; a page of the payload is
    checked against its CRC-32 when it is first read, and again once the file has changed or after a fork.

    Attributes:
        header: sizes of the parts.
        manifest: the tables.
    """

    def __init__(self, source: Source, memory: Allowance | None = None) -> None:
        """Open `source`.

        Args:
            memory: what the tables may take, where several files share it; by default what goes with the size.

        Raises:
            FormatError: of the class that spec section 9 gives.
            LimitError: the tables would take too much memory.
        """
        self._source = source
        self.header = read_header(source.read(0, min(SIZE, source.size)), source.size)
        stored = source.read(SIZE, self.header.payload_offset - SIZE)
        if zlib.crc32(stored) != self.header.manifest_crc:
            raise ChecksumError("the manifest is damaged (CRC-32 mismatch): fetch the file again")
        self._page_table = array("I", stored[self.header.manifest_size :])
        if sys.byteorder == "big":
            self._page_table.byteswap()
        data = stored[: self.header.manifest_size]
        if self.header.manifest_size != self.header.manifest_length:
            data = frames.decompress(data, self.header.manifest_length, "the manifest", ManifestError)
        memory = memory or tables_allowance(source.size)
        self.manifest: Manifest = read_manifest(data, self.header.minor, memory)
        validate(self.manifest, self.header.payload_size)
        sizes = [row.size for row in self.manifest.masks] + [row.size for row in self.manifest.blocks]
        self._offsets = array("Q", accumulate(sizes, initial=0))
        self._seen: tuple[Hashable, bytearray] = (source.state(), bytearray(self.header.pages))

    def mask_payload(self, index: int, part: slice = WHOLE) -> Payload:
        """The stored bytes of a mask, or a part of them; only their pages are read."""
        return self._section(index, part)

    def block_payload(self, index: int, part: slice = WHOLE) -> Payload:
        """The stored bytes of a block, or a part of them; only their pages are read."""
        return self._section(len(self.manifest.masks) + index, part)

    def mask_place(self, index: int) -> tuple[int, int]:
        """Return the bytes of the file between which a mask is stored: the first, and the one after the last."""
        start, stop = self._offsets[index], self._offsets[index + 1]
        return self.header.payload_offset + start, self.header.payload_offset + stop

    def expect(
        self,
        masks: Iterable[int],
        blocks: Iterable[int],
        mask_parts: Iterable[tuple[int, slice]] = (),
        block_parts: Iterable[tuple[int, slice]] = (),
    ) -> None:
        """Announce masks and blocks, or parts of their bytes, that will be read: far away, each may be a request."""
        first = len(self.manifest.masks)
        ranges = [self._place(index, WHOLE) for index in {*masks, *(first + index for index in blocks)}]
        ranges += [self._place(index, part) for index, part in mask_parts]
        ranges += [self._place(first + index, part) for index, part in block_parts]
        offset, size = self.header.payload_offset, self.header.payload_size
        pages = ((start // PAGE * PAGE, min(-(-stop // PAGE) * PAGE, size)) for start, stop in ranges if start < stop)
        self._source.expect((offset + start, offset + stop) for start, stop in pages)

    def mapped(self) -> memoryview:
        """The whole file as memory. Nothing in it is checked."""
        return self._source.mapped()

    def check_mask_in(self, view: memoryview, index: int) -> memoryview:
        """Check the pages of a mask where the file is mapped, and return its stored bytes there.

        Raises:
            ChecksumError: a page is damaged.
        """
        start, stop = self._offsets[index], self._offsets[index + 1]
        offset, size = self.header.payload_offset, self.header.payload_size
        checked = self._checked(self._source.state())
        for page in range(start // PAGE, -(-stop // PAGE)):
            if not checked[page]:
                first, last = page * PAGE, min((page + 1) * PAGE, size)
                self._check(page, view[offset + first : offset + last], checked)
        return view[offset + start : offset + stop]

    def check_pages(self) -> Iterator[int]:
        """Check every page that was not read yet; yields the bytes checked so far."""
        for page in range(self.header.pages):
            checked = self._checked(self._source.state())
            if not checked[page]:
                start = page * PAGE
                stop = min(start + PAGE, self.header.payload_size)
                self._check(page, self._source.read(self.header.payload_offset + start, stop - start), checked)
            yield min((page + 1) * PAGE, self.header.payload_size)

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _place(self, index: int, part: slice) -> tuple[int, int]:
        """Return the bytes of the payload between which a part of a section is stored."""
        begin = self._offsets[index]
        start, stop, _ = part.indices(self._offsets[index + 1] - begin)
        return begin + start, begin + stop

    def _section(self, index: int, part: slice) -> Payload:
        start, stop = self._place(index, part)
        if start >= stop:
            return b""
        pages = range(start // PAGE, -(-stop // PAGE))
        state = self._source.state()
        checked = self._checked(state)
        if all(checked[page] for page in pages):
            found = self._source.read(self.header.payload_offset + start, stop - start)
            if self._source.state() == state:
                return found
            checked = self._checked(self._source.state())
        first = pages.start * PAGE
        last = min(pages.stop * PAGE, self.header.payload_size)
        data = memoryview(self._source.read(self.header.payload_offset + first, last - first))
        for page in pages:
            if not checked[page]:
                offset = page * PAGE - first
                self._check(page, data[offset : offset + PAGE], checked)
        return data[start - first : stop - first]

    def _checked(self, state: Hashable) -> bytearray:
        """Flags of the pages that were checked while the source was in this state."""
        seen, checked = self._seen
        if seen != state:
            checked = bytearray(self.header.pages)
            self._seen = (state, checked)  # at once: another thread may be here, too
        return checked

    def _check(self, page: int, data: bytes | memoryview, checked: bytearray) -> None:
        if zlib.crc32(data) != self._page_table[page]:
            where = self.header.payload_offset + page * PAGE
            raise ChecksumError(
                f"the file is damaged between byte {where} and {where + len(data)} (CRC-32 mismatch in "
                f"page {page}): fetch it again"
            )
        checked[page] = 1
