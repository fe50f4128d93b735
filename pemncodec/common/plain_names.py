"""Names from files as names of files: the one place that says which may reach the file system.

A name is plain if it means the same file everywhere: below the folder that it is joined to, on every system. Everything
that writes a folder goes through `plain_path` before anything is written, and through `below` for each path.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import MetadataError
from ..errors.quoting import quoted

MAX_BYTES = 255  # of one component, on every usual file system
MAX_PATH_BYTES = 4_000
# Windows: characters that no name has, and names of devices, with any suffix.
_FORBIDDEN = frozenset('<>:"|?*\\')
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [device + digit for device in ("com", "lpt") for digit in "0123456789¹²³"]
)


def why_not_plain(name: str) -> str | None:
    """Why a name is no plain component of a path; None if it is one."""
    if not name:
        return "is empty"
    if name in (".", ".."):
        return "points to another folder"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "holds a lone surrogate"
    if size > MAX_BYTES:
        return f"has {size} bytes, more than {MAX_BYTES}"
    if "/" in name:
        return "holds a slash"
    if any(character in _FORBIDDEN or ord(character) < 32 or ord(character) == 127 for character in name):
        return "holds a character that some systems forbid in file names"
    if name.endswith((".", " ")):
        return "ends with a dot or a space, which some systems drop"
    if name.partition(".")[0].rstrip(" ").casefold() in _DEVICES:
        return "is the name of a device on some systems"
    return None


def plain_path(name: str) -> tuple[str, ...]:
    """The components of a relative path with slashes, each of them plain.

    Raises:
        MetadataError: one is not, or the path has more than `MAX_PATH_BYTES` bytes.
    """
    parts = tuple(name.split("/"))
    reasons = (reason for reason in map(why_not_plain, parts) if reason is not None)
    _refuse(name, next(reasons, None) or ("is too long" if len(name.encode()) > MAX_PATH_BYTES else None))
    return parts


def plain_name(name: str) -> str:
    """The name, if it is one plain component.

    Raises:
        MetadataError: it is not.
    """
    _refuse(name, why_not_plain(name))
    return name


def _refuse(name: str, reason: str | None) -> None:
    if reason is not None:
        raise MetadataError(f"{quoted(name)} cannot be a file name: it {reason}; use another layout")


def is_plain_path(name: object) -> bool:
    """Return whether `plain_path` takes it."""
    try:
        return isinstance(name, str) and bool(plain_path(name))
    except MetadataError:
        return False


def below(folder: Path, name: str) -> Path:
    """The path of `name` in a folder; what links on the way lead to counts.

    Raises:
        MetadataError: as `plain_path`, or it points outside the folder.
    """
    path = folder.joinpath(*plain_path(name))
    if not path.resolve().is_relative_to(folder.resolve()):
        raise MetadataError(f"{quoted(name)} points outside the output folder: use another layout")
    return path
