"""The header: 36 bytes that say how long everything else is (spec section 3)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from ..errors import (
    ChecksumError,
    LimitError,
    MagicError,
    ManifestError,
    TrailingBytesError,
    TruncatedError,
    VersionError,
)
from ..errors.quoting import quoted
from .accidents import accident

MAGIC = b"\x89PEMN\r\n\x1a"
MAJOR = 1
MINOR = 6
PAGE = 65_536
MAX_MANIFEST = 1 << 24
MAX_PAYLOAD = 1 << 48

_STRUCT = struct.Struct("<8sBBHIIQII")
SIZE = _STRUCT.size  # 36


@dataclass(frozen=True, slots=True)
class Header:
    """Sizes and checksum of manifest and payload, in bytes, and the minor version."""

    manifest_size: int
    manifest_length: int
    payload_size: int
    manifest_crc: int
    minor: int

    @property
    def pages(self) -> int:
        """Number of pages of the payload."""
        return -(-self.payload_size // PAGE)

    @property
    def payload_offset(self) -> int:
        """The place in the file where the payload begins."""
        return SIZE + self.manifest_size + 4 * self.pages

    @property
    def file_size(self) -> int:
        """Bytes of the whole file."""
        return self.payload_offset + self.payload_size

    def write(self) -> bytes:
        """The 36 bytes."""
        front = _STRUCT.pack(
            MAGIC,
            MAJOR,
            self.minor,
            0,
            self.manifest_size,
            self.manifest_length,
            self.payload_size,
            self.manifest_crc,
            0,
        )[:-4]
        return front + struct.pack("<I", zlib.crc32(front))


def read_header(data: bytes, file_size: int) -> Header:
    """Read and validate the header from the first bytes of a file.

    Args:
        data: the first `SIZE` bytes of the file, or all of it where it is shorter.
        file_size: bytes of the file.

    Raises:
        MagicError, VersionError, TruncatedError, TrailingBytesError, ChecksumError, ManifestError,
        LimitError: in the order of spec section 3.
    """
    if len(data) < len(MAGIC) and MAGIC.startswith(data):
        raise TruncatedError(f"the file ends after {file_size} bytes, inside its signature: fetch it again")
    if data[: len(MAGIC)] != MAGIC:
        what = accident(data) or f"begins with {quoted(data[:8])}"
        raise MagicError(f"not a .pemn file: it {what}")
    if len(data) < 10:
        raise TruncatedError(f"the file ends after {file_size} bytes, inside its header: fetch it again")
    major, minor = data[8], data[9]
    if major != MAJOR or minor > MINOR:
        raise VersionError(
            f"the file has format version {major}.{minor}; this pemncodec reads {MAJOR}.0 to {MAJOR}.{MINOR}: "
            "install a newer one (or the file is damaged)"
        )
    if len(data) < SIZE:
        raise TruncatedError(f"the file ends after {file_size} bytes, inside its header: fetch it again")
    _, _, _, flags, manifest_size, manifest_length, payload_size, manifest_crc, header_crc = _STRUCT.unpack(data[:SIZE])
    if zlib.crc32(data[: SIZE - 4]) != header_crc:
        raise ChecksumError("the header is damaged (CRC-32 mismatch): fetch the file again")
    if flags:
        raise ManifestError(f"the header's flags are {flags:#06x}, and must be 0")
    if manifest_length > MAX_MANIFEST:
        raise LimitError(f"the manifest has {manifest_length} bytes, but at most {MAX_MANIFEST} are allowed")
    if payload_size > MAX_PAYLOAD:
        raise LimitError(f"the payload has {payload_size} bytes, but at most {MAX_PAYLOAD} are allowed")
    if not 1 <= manifest_size <= manifest_length:
        raise ManifestError(f"the manifest is stored in {manifest_size} bytes for {manifest_length}")
    header = Header(manifest_size, manifest_length, payload_size, manifest_crc, minor)
    if file_size < header.file_size:
        raise TruncatedError(f"the file ends after {file_size} of {header.file_size} bytes: fetch it again")
    if file_size > header.file_size:
        raise TrailingBytesError(
            f"{file_size - header.file_size} bytes follow the end of the file at byte {header.file_size}"
        )
    return header
