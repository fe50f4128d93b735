"""A safetensors file, written tensor by tensor.

The file: the length of the header (8 bytes, little-endian), the header (JSON, filled up with spaces to a multiple of
8 bytes), and the tensors without gaps. Dtype names, and the order that keeps tensors aligned, are those of the
installed safetensors library, which is asked for the header of the same tensors without elements.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save

from ...common import torch_tensors
from ...common.progress import Progress
from ...errors import OutputError
from .streamed import StreamedTensor, owners, pour

_PREFIX = 8


def write(
    tensors: Sequence[StreamedTensor], path: Path, progress: Progress, metadata: Mapping[str, str] | None = None
) -> None:
    """Write the file that `safetensors.torch.save_file` would write, byte for byte but for the order of metadata.

    A tied tensor is written under each of its names, and its pieces are asked for each time.

    Args:
        tensors: in any order.
        path: a file that may be overwritten.
        progress: called with (bytes done, bytes in total, name).
        metadata: the `__metadata__` of the file, sorted by its keys; none if it is empty.

    Raises:
        OutputError: the installed safetensors library cannot hold a dtype or a name.
        UnsupportedTensorError: the installed torch lacks a dtype.
        OSError: `path` cannot be written.
        ValueError: contradictions, as `streamed.owners` and `streamed.pour` say; and whatever `pieces` raises.
    """
    own = owners(tensors)
    header = _header_without_elements(tensors)
    by_name = {tensor.name: tensor for tensor in tensors}
    ordered = [replace(by_name[name], pieces=own[name].pieces) for name in header]
    position = 0
    for tensor in ordered:
        end = position + tensor.size
        header[tensor.name].update(shape=_shape(tensor), data_offsets=[position, end])
        position = end
    if metadata:
        header = {"__metadata__": dict(sorted(metadata.items())), **header}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _PREFIX)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(_PREFIX, "little") + text)
        for _, pieces in pour(ordered, progress):
            file.writelines(pieces)


def _header_without_elements(tensors: Sequence[StreamedTensor]) -> dict[str, dict[str, Any]]:
    """The library's header: its names for the dtypes, in its order."""
    probes = {tensor.name: torch_tensors.empty(tensor.dtype, (0,))[0] for tensor in tensors}
    if "__metadata__" in probes:
        raise OutputError("safetensors has no tensor called '__metadata__': name the output .pt")
    try:
        data = save(probes)
    except KeyError as reason:
        kind = str(reason).removeprefix("torch.")
        names = [tensor.name for tensor in tensors if str(tensor.dtype) == kind]
        what = f"has no {kind}" + (f" ({names[0]!r})" if names else "")
        raise OutputError(f"safetensors {what}: name the output .pt") from None
    except (SafetensorError, ValueError, RuntimeError) as reason:
        raise OutputError(f"safetensors cannot hold these tensors: {reason}; name the output .pt") from None
    length = int.from_bytes(data[:_PREFIX], "little")
    header: dict[str, dict[str, Any]] = json.loads(data[_PREFIX : _PREFIX + length])
    return header


def _shape(tensor: StreamedTensor) -> list[int]:
    shape = list(tensor.shape)
    if tensor.dtype.name == "float4_e2m1fn_x2":  # torch counts bytes, and safetensors the two elements in each
        if not shape:
            raise OutputError(f"safetensors has no scalar of {tensor.dtype} ({tensor.name!r}): name the output .pt")
        shape[-1] *= 2
    return shape
