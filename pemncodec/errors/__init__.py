"""Every error that pemncodec raises on purpose, under one base: `PemnError`.

Errors about a `.pemn` file carry the error class of spec section 9 as `kind`, so that two decoders can be
compared. Messages say what is wrong, where, and what to do.
"""

from __future__ import annotations

from .quoting import one_line

__all__ = [
    "BaseFileError",
    "CheckpointError",
    "CheckpointSizeError",
    "ChecksumError",
    "ConversionError",
    "FileAccessError",
    "FormatError",
    "LimitError",
    "MagicError",
    "ManifestError",
    "MaskRuleError",
    "MetadataError",
    "MismatchError",
    "MissingPackageError",
    "NetworkError",
    "NotFoundError",
    "OutputError",
    "OutputExistsError",
    "PayloadError",
    "PemnError",
    "PerformanceWarning",
    "SeedError",
    "SliceError",
    "TrailingBytesError",
    "TruncatedError",
    "UnknownLayoutError",
    "UnreadableCheckpointError",
    "UnsafeCheckpointError",
    "UnsupportedTensorError",
    "VersionError",
]


class PemnError(Exception):
    """Base of all errors of this package.

    Args:
        message: made one printable line of at most 200 characters, whatever names and paths are in it.

    Attributes:
        path: the file that the error is about, in full, where its message begins with a path; else None.
    """

    path: str | None = None

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


# --- a .pemn file that cannot be decoded (spec section 9) ---------------------------------------------


class FormatError(PemnError):
    """A `.pemn` file breaks the format."""

    kind: str = ""


class MagicError(FormatError):
    """The file does not begin with the signature of a `.pemn` file."""

    kind = "magic"


class VersionError(FormatError):
    """The file was written for a newer version of the format."""

    kind = "version"


class TruncatedError(FormatError):
    """The file ends before the end that its header announces."""

    kind = "truncated"


class TrailingBytesError(FormatError):
    """The file continues after the end that its header announces."""

    kind = "trailing"


class ChecksumError(FormatError):
    """A CRC-32 does not match: the file is damaged."""

    kind = "checksum"


class ManifestError(FormatError):
    """The header or manifest breaks a rule of the format (spec sections 3 and 4)."""

    kind = "manifest"


class PayloadError(FormatError):
    """A mask, block or prototype does not decode to what the manifest says (spec sections 5 to 8)."""

    kind = "payload"


class LimitError(FormatError):
    """The file decodes to more bytes than the caller allowed, or than the machine has."""

    kind = "limit"


class MetadataError(FormatError):
    """The `pemn.` metadata of a file, or a name in it, is invalid (spec section 10).

    The file itself may be valid: it loads in every layout but its original one.
    """

    kind = "metadata"


# --- a network in memory that the format cannot express -----------------------------------------------------


class NetworkError(PemnError):
    """A `MaskedNetwork` is inconsistent, or holds something that the format cannot express."""


# --- a checkpoint that cannot be packed -----------------------------------------------------------------


class CheckpointError(PemnError):
    """A checkpoint cannot be read or packed."""


class UnreadableCheckpointError(CheckpointError):
    """The file is not a readable checkpoint: damaged, incomplete, or of another format."""


class CheckpointSizeError(CheckpointError):
    """The tensors of a checkpoint take more memory than the caller allowed, or than there is."""


class UnsafeCheckpointError(CheckpointError):
    """Reading the checkpoint would run code that it carries."""


class UnknownLayoutError(CheckpointError):
    """The tensors of the checkpoint contradict the family that their names announce, or no family fits."""


class SeedError(CheckpointError):
    """A seed, or the number of seeds to try, is invalid."""


class MaskRuleError(CheckpointError):
    """The masks do not follow from the checkpoint and the options given (no `keep`, or a bad one)."""


class UnsupportedTensorError(CheckpointError):
    """A tensor has a dtype or a layout that the format cannot hold."""


class ConversionError(CheckpointError):
    """A requested lossy conversion is invalid, or would make a finite value infinite."""


# --- files, and what a caller asked for -------------------------------------------------------------------------------


class FileAccessError(PemnError):
    """A file cannot be opened or read."""


class BaseFileError(PemnError):
    """The base of a delta was not given, or another file was given."""


class NotFoundError(PemnError, KeyError):
    """A tensor or task of that name is not in the file."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0]) if self.args else ""


class SliceError(PemnError, IndexError):
    """A part of a tensor was asked for that the tensor does not have, or in a form that is not supported."""


class OutputExistsError(PemnError):
    """The output file already exists; use --force or overwrite=True to replace it."""


class OutputError(PemnError):
    """The output cannot be written, or its format cannot hold the network."""


class MismatchError(PemnError):
    """A file was compared with a checkpoint and does not hold the same network."""


class MissingPackageError(PemnError, ImportError):
    """A package that only this part of pemncodec needs is not installed; the message names the extra that brings it."""


# --- what is right, and slower than it could be ---------------------------------------------------------------


class PerformanceWarning(UserWarning):
    """The compiled loops are not installed, and the work at hand is large enough that it shows."""
