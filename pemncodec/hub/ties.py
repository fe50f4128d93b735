"""Names that are one tensor in a model, and what a file holds for them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import Parameter

from ..errors import MismatchError
from ..errors.quoting import listed
from ..loading.file import PemnFile


class Ties:
    """The names of a model and of a file, compared.

    A file has one name or several of a tensor that the model ties: safetensors files, and what is packed from them,
    have one.

    Args:
        model: may be on the meta device.
        file: opened, for one of its tasks.
        path: for errors.

    Raises:
        MismatchError: a tensor of the model, under all its names, is not in the file, or one of the file not in the
            model, or a shape differs.
    """

    def __init__(self, model: torch.nn.Module, file: PemnFile, path: Path) -> None:
        own = model.state_dict(keep_vars=True)
        groups: dict[int, list[str]] = {}
        for name, tensor in own.items():
            groups.setdefault(id(tensor), []).append(name)
        there = [[name for name in group if name in file] for group in groups.values()]
        self._model, self._file = model, file
        self._groups = list(zip(there, groups.values(), strict=True))
        missing = [names[0] for found, names in self._groups if not found]
        unexpected = [name for name in file if name not in own]
        differing = [name for name in file if name in own and file.shape(name) != tuple(own[name].shape)]
        wrong = {"Missing key(s)": missing, "Unexpected key(s)": unexpected, "Other shapes of": differing}
        if any(wrong.values()):
            why = "; ".join(f"{what} {listed(names, 2)}" for what, names in wrong.items() if names)
            raise MismatchError(f"{path} does not fit a {type(model).__name__}: {why}")

    def cut(self) -> None:
        """Untie tensors that the file holds with different values. It must be open still."""
        for found, _ in self._groups:
            first = found[0]
            for name in found[1:]:
                if not self._same(first, name):
                    parameter = self._model.get_parameter(name)
                    self._put(name, Parameter(torch.empty_like(parameter), parameter.requires_grad))
                    # transformers keeps a list of what it ties, and drops the names in it when it saves a model.
                    getattr(self._model, "all_tied_weights_keys", {}).pop(name, None)

    def tie(self) -> None:
        """Tie names that are not in the file to those that are, after these are loaded."""
        for found, names in self._groups:
            for name in names:
                if name not in found:
                    self._put(name, self._model.get_parameter(found[0]))

    def _same(self, one: str, two: str) -> bool:
        targets = [self._file.alias_of(name) or name for name in (one, two)]
        if targets[0] == targets[1]:
            return True
        tensors = [self._file.get_tensor(name) for name in targets]
        bits = [tensor.reshape(-1).view(torch.uint8) for tensor in tensors]
        return tensors[0].dtype == tensors[1].dtype and torch.equal(*bits)

    def _put(self, name: str, parameter: Parameter) -> None:
        module, _, last = name.rpartition(".")
        setattr(self._model.get_submodule(module), last, parameter)
