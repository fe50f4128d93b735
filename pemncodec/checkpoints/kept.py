"""Parts of a checkpoint beside its tensors, kept as they are: `pemn.` keys of the metadata (spec section 10).

`pemn.safetensors` is the `__metadata__` of a safetensors file. `pemn.files` are small files of the folder.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from ..common import strict_json
from ..common.plain_names import plain_name
from ..errors import MetadataError
from ..errors.quoting import quoted

SAFETENSORS, FILES = "pemn.safetensors", "pemn.files"
# Bytes of all files together: in a manifest they take four thirds of that, beside everything else.
MAX_FILES = 8 << 20


def write(safetensors: Mapping[str, str], files: Mapping[str, bytes]) -> dict[str, str]:
    """The keys; none where there is nothing to keep."""
    own = {}
    if safetensors:
        own[SAFETENSORS] = strict_json.write(dict(sorted(safetensors.items())))
    if files:
        own[FILES] = strict_json.write({name: base64.b64encode(files[name]).decode() for name in sorted(files)})
    return own


def read_safetensors(metadata: Mapping[str, str]) -> dict[str, str]:
    """The `__metadata__` of the safetensors file that was packed, empty if there is none.

    Raises:
        MetadataError: it is no object of strings.
    """
    found = _object(metadata, SAFETENSORS)
    if "__metadata__" in found:
        raise MetadataError(f"metadata {SAFETENSORS!r} has the reserved name '__metadata__': unpack to a .pt file")
    return found


def read_files(metadata: Mapping[str, str]) -> dict[str, bytes]:
    """Files by name, each name a plain one.

    Raises:
        MetadataError: it is no object of strings in base64, two names differ in case only, or a name is not plain.
    """
    found = {}
    for name, text in _object(metadata, FILES).items():
        try:
            found[plain_name(name)] = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise MetadataError(
                f"metadata {FILES!r} has {quoted(name)}, which is not base64: unpack to a file"
            ) from None
    if len({name.casefold() for name in found}) < len(found):
        raise MetadataError(f"metadata {FILES!r} has two names that differ in case only: unpack to a file")
    return found


def _object(metadata: Mapping[str, str], key: str) -> dict[str, str]:
    try:
        found: Any = strict_json.parse(metadata.get(key, "{}"))
    except ValueError as reason:
        raise MetadataError(f"metadata {key!r} is {quoted(metadata[key])}, which is not JSON: {reason}") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise MetadataError(f"metadata {key!r} is {quoted(metadata[key])}, and must be an object of strings")
    return found
