"""`PackedTensor`: a weight that is a mask over a prototype, or over kept values, and runs as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_map

from ..common import torch_tensors
from . import checks
from .expand import expand
from .functions import FUNCTIONS
from .on_device import expanded
from .operators import OPERATORS
from .products import quick
from .weight import INNER, Meaning, Weight, unpacked

_LINEAR = torch.nn.functional.linear
_is_compiling = torch.compiler.is_dynamo_compiling  # a graph of torch.export has fake tensors, which `quick` declines


class PackedTensor(torch.Tensor):
    """A weight with the shape, dtype and device of the dense one, which holds the bits of its mask.

    Linear layers and matrix products read it as it is; convolutions expand it into memory that all layers share; every
    other operation expands it and is right, in bits. It is a constant: gradients flow to inputs, and layers that train
    masks are those of `pemncodec.nn`.

    Attributes:
        bits: the mask, one bit for every element in row-major order, least significant first; uint8, one dimension.
        stored: the prototype, shared by all weights that it fills, or the kept values in order; of the dtype of the
            weight, one dimension.
        others: the second prototype, where a zero bit stands for its values; or None.
        presence, others_presence: for `save_file`: which elements of the prototypes are stored, as bits; None: all.
        meaning: how they make the weight (spec section 7).
    """

    bits: torch.Tensor
    stored: torch.Tensor
    others: torch.Tensor | None
    presence: torch.Tensor | None
    others_presence: torch.Tensor | None
    meaning: Meaning
    # What takes the fewest steps, made at the first use: a matrix, or the dense values of a convolution; or False.
    lane: Any = None

    # The names that torchao's tensor subclasses have for these.
    tensor_data_names, optional_tensor_data_names = INNER[:2], INNER[2:]
    tensor_attribute_names = ("meaning",)

    @staticmethod
    def __new__(
        cls,
        meaning: Meaning,
        bits: torch.Tensor,
        stored: torch.Tensor,
        others: torch.Tensor | None = None,
        presence: torch.Tensor | None = None,
        others_presence: torch.Tensor | None = None,
    ) -> PackedTensor:
        shape = tuple(reversed(meaning.shape)) if meaning.transposed else meaning.shape
        made = torch.Tensor._make_wrapper_subclass(cls, shape, dtype=stored.dtype, device=bits.device)
        made.meaning, made.bits, made.stored = meaning, bits, stored
        made.others, made.presence, made.others_presence = others, presence, others_presence
        return made

    @classmethod
    def of(cls, weight: Weight) -> PackedTensor:
        """Return the tensor of a packed weight."""
        return cls(weight.meaning, *weight.tensors)

    @property
    def weight(self) -> Weight:
        """The packed weight, whose mask and values have been checked against the file that they come from.

        Raises:
            ChecksumError, PayloadError: the file is damaged.
        """
        checks.check(self.bits)
        return Weight(self.meaning, *(getattr(self, name) for name in INNER))

    @property
    def packed_bytes(self) -> int:
        """Bytes of the mask, and of the values that are this weight's own."""
        return self.bits.nbytes + (self.stored.nbytes if self.meaning.kind == "kept" else 0)

    def dense(self) -> torch.Tensor:
        """Return the dense weight in new memory, in bits that of the file."""
        weight = self.weight
        made = expanded(weight) if self.bits.device.type != "cpu" else expand(weight, _empty(weight))
        return made.t() if self.meaning.transposed else made

    dequantize = dense

    def share_memory_(self) -> PackedTensor:
        """Move the tensors that hold it to shared memory."""
        checks.check(self.bits)
        for name in INNER:
            inner = getattr(self, name)
            if inner is not None:
                inner.share_memory_()
        self.lane = None  # it reads the memory that they had
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> torch.Tensor:
        """Return the same constant, which needs no memory of its own."""
        made: torch.Tensor = self.replaced(self.meaning)
        if isinstance(self, torch.nn.Parameter):
            made = torch.nn.Parameter(made, requires_grad=self.requires_grad)
        memo[id(self)] = made
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        checks.check(self.bits)
        self.__dict__.pop("lane", None)
        return super().__reduce_ex__(protocol)  # type: ignore[no-untyped-call]

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"PackedTensor({tuple(self.shape)}, {self.dtype}, {self.meaning.kind!r}, {self.packed_bytes} B)"

    def __tensor_flatten__(self) -> tuple[list[str], Meaning]:
        checks.check(self.bits)
        return [name for name in INNER if getattr(self, name) is not None], self.meaning

    @staticmethod
    def __tensor_unflatten__(
        inner: Mapping[str, torch.Tensor], meaning: Meaning, size: Sequence[int], stride: Sequence[int]
    ) -> PackedTensor:
        return PackedTensor(meaning, **inner)

    def _stable_hash_for_caching(self) -> str:
        """Return what a compiled graph depends on: what the tensors mean, not what they hold."""
        return repr((self.meaning, self.dtype, [name for name in INNER if getattr(self, name) is not None]))

    def replaced(self, meaning: Meaning, *tensors: torch.Tensor | None) -> PackedTensor:
        """Return the weight with another meaning, and other tensors if they are given."""
        return PackedTensor(meaning, *(tensors or (getattr(self, name) for name in INNER)))

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: object, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is _LINEAR and not kwargs and not _is_compiling():
            made = quick(args)
            if made is not None:
                return made
        handler = FUNCTIONS.get(func)
        if handler is not None:
            return handler(func, *args, **(kwargs or {}))
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: object, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        handler = OPERATORS.get(func)
        if handler is not None:
            made = handler(*args, **(kwargs or {}))
            if made is not NotImplemented:
                return made
        return func(*tree_map(unpacked, args), **tree_map(unpacked, kwargs or {}))


def _empty(weight: Weight) -> torch.Tensor:
    dtype = torch_tensors.dtype_of(weight.stored, "the weight")
    return torch_tensors.empty(dtype, weight.meaning.shape)[0]


torch.serialization.add_safe_globals([PackedTensor, Meaning])
