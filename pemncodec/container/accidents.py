"""Files in the place of a model file: common accidents of downloading."""

from __future__ import annotations


def accident(head: bytes) -> str | None:
    """Return what a file that begins so is, and what to do; None if it is not a common accident."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "is empty: fetch it again"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file itself: run 'git lfs pull' and try again"
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "is a web page, not the file itself: fetch the raw file"
    return None
