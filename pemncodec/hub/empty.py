"""Modules that are made without memory for their parameters."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import Parameter
from torch.nn.modules.module import register_module_parameter_registration_hook


@contextmanager
def empty_parameters() -> Iterator[None]:
    """Put the parameters of modules that this thread makes on the meta device; buffers are made as ever.

    A buffer that is not persistent is in no file: it has to be computed, which the meta device would not do. A
    parameter that is registered twice stays one parameter.
    """
    thread = threading.get_ident()
    made: dict[int, tuple[weakref.ref[Parameter], Parameter]] = {}

    def registered(_: torch.nn.Module, __: str, parameter: Any) -> Any:
        if type(parameter) is not Parameter or parameter.is_meta or threading.get_ident() != thread:
            return None
        known, empty = made.get(id(parameter), (None, None))
        if known is None or known() is not parameter:
            empty = Parameter(parameter.detach().to("meta"), requires_grad=parameter.requires_grad)
            empty.__dict__.update(parameter.__dict__)
            made[id(parameter)] = weakref.ref(parameter), empty
        return empty

    handle = register_module_parameter_registration_hook(registered)
    try:
        yield
    finally:
        handle.remove()
