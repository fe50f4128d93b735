"""Load into a model: names that differ by a prefix, tied tensors, packed weights as constants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any, Literal

import torch
from torch.nn.modules import module as torch_module
from torch.nn.modules.module import _IncompatibleKeys

from ..checkpoints.names import PREFIXES, stripped
from ..coding.delta.base_files import BaseFiles
from ..common.progress import Reporting, callback, silent
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes, path_of
from ..errors import MismatchError, NetworkError
from ..errors.quoting import listed, quoted
from .file import PemnFile
from .load import tensors_of
from .switching import remember
from .targets import check_targets

# Others, as those that are lazy, may want to do something when they are loaded.
_PLAIN = (torch.Tensor, torch.nn.Parameter)
# Hooks of all modules, which are called where a parameter or buffer is set.
_REGISTERED = torch_module._global_parameter_registration_hooks, torch_module._global_buffer_registration_hooks


def load_model(
    model: torch.nn.Module,
    path: PathOrBytes,
    strict: bool = True,
    *,
    assign: bool = False,
    layout: Literal["dense", "packed"] = "dense",
    verify: bool = False,
    task: str | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    threads: int | None = None,
    progress: Reporting = silent,
) -> _IncompatibleKeys:
    """Load a `.pemn` file into a model, as `model.load_state_dict(load_file(path), strict, assign)`.

    A prefix `module.` or `_orig_mod.` that all tensors of the file have, but not the model, is removed; one that only
    the model has is added.

    Args:
        model: whose parameters and buffers are set.
        path: a `.pemn` file: a path, a URL, a binary file object, or bytes.
        strict: whether the names must be the same.
        assign: put the tensors of the file into the model, with their dtype, rather than copy their values into those
            that it has. A model on the meta device needs it. What the model ties stays tied, and nothing else shares
            memory.
        layout: `"packed"`: masked layers become `PackedTensor`s, which the model runs as they are; this implies
            `assign`. The weights are constants then (`requires_grad` is False). `switch_task` gives the model another
            task of the file.

    The other arguments are as for `load_file`.

    Returns:
        Missing and unexpected keys.

    Raises:
        MismatchError: with `strict`: names differ; always: a shape differs, or two tensors that the model ties; without
            `assign`: a parameter or buffer is on the meta device, where copying does nothing; one is a DTensor.
        FormatError, NotFoundError, BaseFileError, FileAccessError: as `load_file`.
    """
    if layout not in ("dense", "packed"):
        raise NetworkError(f"layout {layout!r} is no layout of a model: choose dense or packed")
    packed = layout == "packed"
    assign = assign or packed
    own = model.state_dict(keep_vars=True)
    check_targets(own, assign=assign)
    file = PemnFile(path, task=task, max_bytes=max_bytes, base=base)
    with nullcontext() if packed else file:
        tensors = tensors_of(file, path, "cpu", layout, False, verify, threads, callback(progress))
    names = renamed(own, tensors)
    tensors = {new: tensors[name] for name, new in names.items()}
    _check_ties(own, tensors, path)
    try:
        # What torch asks of each tensor (shape, device, requires_grad) is asked of a packed one directly.
        with torch._C.DisableTorchFunctionSubclass() if packed else nullcontext():
            if assign:
                tensors = _tied_as(own, tensors)
            if packed and _placed(model, own, tensors):
                found = _IncompatibleKeys([], [])
            else:
                found = model.load_state_dict(tensors, strict=strict, assign=assign)
    except RuntimeError as reason:
        why = _differing_names(own, tensors) if strict else ""
        why = why or " ".join(str(reason).split("\n")[1:2]) or str(reason)  # below torch's headline
        raise MismatchError(f"{_called(path)} does not fit the model: {why}") from None
    if packed:
        _make_constant(tensors.values())
        remember(model, file, names)
    return found


def renamed(own: Iterable[str], tensors: Mapping[str, Any]) -> dict[str, str]:
    """Return the name in the model of each tensor, where a prefix is superfluous or missing."""
    same = {name: name for name in tensors}
    own = set(own)
    if not own or own & set(tensors):
        return same
    bare = {name: new for new, name in stripped(same).items()}
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in own):
            bare = {name: prefix + new for name, new in bare.items()}
    return bare


def _make_constant(tensors: Iterable[torch.Tensor]) -> None:
    from ..packed.tensor import PackedTensor

    with torch._C.DisableTorchFunctionSubclass():
        for tensor in tensors:
            if isinstance(tensor, PackedTensor):
                tensor.requires_grad_(False)


def _differing_names(own: Iterable[str], names: Iterable[str]) -> str:
    there, given = dict.fromkeys(own), dict.fromkeys(names)
    missing, unexpected = [name for name in there if name not in given], [name for name in given if name not in there]
    parts = [f"Missing key(s) {listed(missing, 2)}"] if missing else []
    parts += [f"Unexpected key(s) {listed(unexpected, 2)}"] if unexpected else []
    return "; ".join(parts)


def _tied_as(own: dict[str, torch.Tensor], tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors to be assigned: one object where the model has one, and memory of its own everywhere else."""
    made: dict[int, torch.Tensor] = {}
    used: set[int] = set()
    out: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        mine = own.get(name)
        if mine is not None and id(mine) in made:
            out[name] = made[id(mine)]
            continue
        out[name] = tensor.clone() if id(tensor) in used else tensor
        used.add(id(tensor))
        if mine is not None:
            if isinstance(mine, torch.nn.Parameter):  # torch would make a parameter for each name
                out[name] = _parameter(out[name], mine.requires_grad)
            made[id(mine)] = out[name]
    return out


def _placed(model: torch.nn.Module, own: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> bool:
    """Put tensors where the model has its own, as `load_state_dict(assign=True)` does, in a fifth of its time.

    Returns:
        False, with nothing changed, where that has more to do: modules with a way of their own, hooks, lazy parameters,
        and all that it refuses.
    """
    if own.keys() != tensors.keys() or type(model).load_state_dict is not torch.nn.Module.load_state_dict:
        return False
    if any(type(mine) not in _PLAIN or mine.shape != tensors[name].shape for name, mine in own.items()):
        return False
    if torch.__future__.get_swap_module_params_on_conversion() or _REGISTERED[0] or _REGISTERED[1]:
        return False
    places: dict[str, tuple[dict[str, Any], str]] = {}
    if not _find_places(model, "", places) or places.keys() != own.keys():
        return False
    for key, (table, name) in places.items():
        table[name] = tensors[key]
    return True


def _find_places(module: torch.nn.Module, prefix: str, places: dict[str, tuple[dict[str, Any], str]]) -> bool:
    """Find the dictionary of its module that holds each tensor; False where a module does more than hold it."""
    kind = type(module)
    if kind._load_from_state_dict is not torch.nn.Module._load_from_state_dict:
        return False
    if kind.__setattr__ is not torch.nn.Module.__setattr__ or kind.__getattr__ is not torch.nn.Module.__getattr__:
        return False
    if module._load_state_dict_pre_hooks or module._load_state_dict_post_hooks:
        return False
    temporary = module._non_persistent_buffers_set
    for table, left_out in ((module._parameters, ()), (module._buffers, temporary)):
        for name, tensor in table.items():
            if tensor is not None and name not in left_out:
                places[prefix + name] = (table, name)
    children = module._modules.items()
    return all(child is None or _find_places(child, f"{prefix}{name}.", places) for name, child in children)


def _parameter(tensor: torch.Tensor, requires_grad: bool) -> torch.Tensor:
    if type(tensor) is torch.Tensor or isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(tensor, requires_grad=requires_grad)
    tensor._is_param = True  # as torch marks a parameter of a subclass, of which it would make another one
    return tensor


def _check_ties(own: dict[str, torch.Tensor], tensors: dict[str, torch.Tensor], path: PathOrBytes) -> None:
    """Check that tied names of the model get equal values: the last one loaded would silently win."""
    first: dict[int, str] = {}
    for name, tensor in own.items():
        other = first.setdefault(id(tensor), name)
        if other in tensors and name in tensors and not _same_bits(tensors[other], tensors[name]):
            raise MismatchError(
                f"{_called(path)} holds different values for {quoted(other)} and {quoted(name)}, which are one "
                "tensor in the model: load into a model that does not tie them"
            )


def _called(path: PathOrBytes) -> str:
    return path_of(path) or "the file"


def _same_bits(one: torch.Tensor, two: torch.Tensor) -> bool:
    if one is two or one.shape != two.shape or one.dtype != two.dtype:
        return one is two
    return torch.equal(*(tensor.contiguous().view(-1).view(torch.uint8) for tensor in (one, two)))
