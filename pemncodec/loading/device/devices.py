"""The devices that tensors can be put on, and those on which they can be decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ...errors import OutputError, UnsupportedTensorError

# Where 64-bit integers and every element type are known to work. Others get what the CPU decoded.
_EXPANDING = ("cuda",)


def usable(device: str | torch.device) -> torch.device:
    """The device of that name, if tensors can be put there.

    Raises:
        OutputError: there is no such device, this torch or this machine lacks it, or it holds no values ("meta").
    """
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, TypeError, ImportError) as reason:  # torch has no class for this
        raise OutputError(f"device {str(device)!r} cannot be used here: {_first_line(reason)}") from None
    if found.type == "meta":
        raise OutputError("device 'meta' holds no values, so nothing can be loaded to it: choose another")
    return found


def expands(device: torch.device) -> bool:
    """Return whether masks are decoded and layers filled on the device itself."""
    return device.type in _EXPANDING


def moved(tensor: torch.Tensor, device: torch.device, name: str) -> torch.Tensor:
    """The tensor on `device`.

    Raises:
        UnsupportedTensorError: the device has no such tensors.
        MemoryError: the device has no memory left.
    """
    with out_of_memory():
        try:
            return tensor.to(device)
        except torch.cuda.OutOfMemoryError:
            raise
        except (RuntimeError, TypeError) as reason:
            raise UnsupportedTensorError(
                f"tensor {name!r} ({tensor.dtype}) cannot be put on {str(device)!r}: {_first_line(reason)}"
            ) from None


@contextmanager
def out_of_memory() -> Iterator[None]:
    """Turn torch's error about a device's memory into a MemoryError."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as reason:
        raise MemoryError(_first_line(reason)) from None


def _first_line(reason: Exception) -> str:
    return (str(reason).splitlines() or [type(reason).__name__])[0]
