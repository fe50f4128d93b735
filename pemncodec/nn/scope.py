"""The weights of a network that are masked or pruned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..errors import NetworkError

Scope = str | list[str] | tuple[str, ...] | Callable[[str, nn.Module], bool] | None

_LAYERS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
_ATTENTION = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


def weights_in_scope(model: nn.Module, scope: Scope) -> Iterator[tuple[nn.Module, str]]:
    """The weights to mask: module, and name of the parameter.

    Args:
        model: any module.
        scope: a glob pattern of full module names, several, a function of name and module, or None for all layers.

    Raises:
        NetworkError: no module, or a pattern that matches none; a weight that is masked already, computed by hooks, no
            float32, without values, or shared with another module.
    """
    if not isinstance(model, nn.Module):
        raise NetworkError(f"only a module can be masked, not a {type(model).__name__}")
    layers: dict[str, nn.Module] = {
        path: module for path, module in model.named_modules() if isinstance(module, (*_LAYERS, nn.MultiheadAttention))
    }
    users = _users(model)
    for path in _chosen(layers, scope):
        module = layers[path]
        for name in _ATTENTION if isinstance(module, nn.MultiheadAttention) else ("weight",):
            where = f"{path}.{name}" if path else name
            if parametrize.is_parametrized(module, name):
                raise NetworkError(
                    f"{path or 'the model'} already has a parametrized {name}: a network can be masked only once"
                )
            if name not in module._parameters:
                raise NetworkError(
                    f"{where} is not a parameter, but computed by hooks (weight_norm, prune): remove them"
                )
            weight = module._parameters[name]
            if weight is None:  # of the attention projections either one or three are there
                continue
            _check(weight, where, users[id(weight)])
            yield module, name


def _users(model: nn.Module) -> dict[int, list[str]]:
    """The names of every parameter, one for each module that has it; one module under two names counts once."""
    users: dict[int, list[str]] = {}
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            users.setdefault(id(parameter), []).append(f"{path}.{name}" if path else name)
    return users


def _check(weight: nn.Parameter, where: str, users: list[str]) -> None:
    if isinstance(weight, nn.UninitializedParameter):
        raise NetworkError(f"{where} has no values yet: run the lazy layer once first")
    if weight.dtype != torch.float32:
        raise NetworkError(f"{where} is {weight.dtype}, but only float32 can be masked: convert after unpacking")
    if weight.is_meta:
        raise NetworkError(f"{where} is on the meta device: give it memory first (to_empty)")
    if len(users) > 1:
        raise NetworkError(
            f"{' and '.join(users)} are one parameter, and one of them cannot be masked alone: exclude the layer "
            "from the scope, or give each its own parameter"
        )


def _chosen(layers: dict[str, nn.Module], scope: Scope) -> list[str]:
    """The names of layers in the scope, in their order."""
    if scope is None:
        return list(layers)
    if callable(scope) and not isinstance(scope, type):
        return [path for path, module in layers.items() if scope(path, module)]
    patterns = [scope] if isinstance(scope, str) else scope
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(pattern, str) for pattern in patterns):
        raise NetworkError(
            f"the scope {scope!r} is not a pattern of names, a list of them, or a function of name and module"
        )
    for pattern in patterns:
        if not any(fnmatchcase(path, pattern) for path in layers):
            names = ", ".join(map(repr, list(layers)[:4])) or "none"
            raise NetworkError(
                f"the scope {pattern!r} matches no layer; the layers are {names}, … ('*' matches anything)"
            )
    return [path for path in layers if any(fnmatchcase(path, pattern) for pattern in patterns)]
