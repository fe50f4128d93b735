"""The files that a trained network is stored in, decoded again: bytes, and accuracy of what comes out.

Every network is stored losslessly and in the inference profile (BatchNorm folded, bfloat16). Trained weights, dense or
pruned, are quantized to 8 and 4 bits, too, and coded by the better of pemncodec and zstd.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import zstandard
from torch import nn

import pemncodec
from pemncodec.nn import recalibrate_batchnorm
from pemncodec.nn.scope import weights_in_scope

from . import quantizing, training
from .data import Images
from .settings import Setting

State = dict[str, torch.Tensor]
PROFILE = {"fold_batchnorm": True, "tensor_dtype": "bfloat16"}
BITS = (8, 4)
_ZSTD_LEVEL = 22
_CALIBRATION = (40, 256)  # batches, images in each


@dataclass(frozen=True)
class Stored:
    """A network as a file.

    Attributes:
        size: in bytes.
        accuracy: of the network decoded from it, in percent.
        coder: `"pemn"`, or `"zstd"` where that is smaller.
    """

    size: int
    accuracy: float
    coder: str = "pemn"

    def fields(self) -> dict[str, object]:
        """As a row has it."""
        return {"bytes": self.size, "accuracy": self.accuracy, "coder": self.coder}


def every(setting: Setting, model: nn.Module, images: Images) -> dict[str, Stored]:
    """Store a trained network in every way that suits its method.

    Args:
        setting: how it was trained.
        model: the trained network.
        images: to test the decoded networks, and to recalibrate BatchNorm after quantization.
    """
    state = {name: tensor.cpu() for name, tensor in model.state_dict().items()}

    def fresh() -> nn.Module:
        return setting.architecture.build(images)

    def test(state: State) -> float:
        network = fresh()
        network.load_state_dict(state, strict=True)
        return round(training.accuracy(network.to(training.device()), images), 2)

    found = {"lossless": _stored(state, {}, test), "inference": _stored(state, PROFILE, test)}
    if setting.method == "masked":
        return found
    found["inference"] = _stored(_rounded(state, fresh()), PROFILE, test)
    for bits in BITS:
        network = fresh()
        network.load_state_dict(pemncodec.load(pemncodec.save(state)), strict=True)
        scales = quantizing.round_weights(network, bits)
        _recalibrate(network, images)
        for title, options in ((f"{bits} bits", {}), (f"{bits} bits, inference", PROFILE)):
            codes = quantizing.codes(network, scales, bits, fold=bool(options))
            found[title] = _quantized(codes, options, fresh, test)
    return found


def _recalibrate(network: nn.Module, images: Images) -> None:
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return
    recalibrate_batchnorm(network.to(training.device()), training.batches(images, *_CALIBRATION))
    network.cpu().eval()


def _stored(state: State, options: dict[str, object], test: Callable[[State], float]) -> Stored:
    packed = pemncodec.save(state, **options)  # type: ignore[arg-type]
    return Stored(len(packed), test(_floats(pemncodec.load(packed))))


def _floats(state: State) -> State:
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def _rounded(state: State, plain: nn.Module) -> State:
    """The weights in bfloat16, as the profile has all else."""
    modules = {id(module): path for path, module in plain.named_modules()}
    names = {f"{modules[id(module)]}.{name}" for module, name in weights_in_scope(plain, None)}
    return {
        name: tensor.to(torch.bfloat16) if name.removesuffix("_orig") in names else tensor
        for name, tensor in state.items()
    }


def _quantized(
    codes: quantizing.Codes, options: dict[str, object], fresh: Callable[[], nn.Module], test: Callable[[State], float]
) -> Stored:
    """Integers and their scales: as masks and kept values, or with zeros and all in zstd."""
    packed = pemncodec.save(codes.pruned(), **options)  # type: ignore[arg-type]
    decoded = pemncodec.load(packed)
    accuracy = test(_floats(quantizing.values(decoded, fresh())))
    squeezed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(
        b"".join(np.ascontiguousarray(_bytes(tensor)).tobytes() for tensor in decoded.values())
    )
    if len(squeezed) < len(packed):
        return Stored(len(squeezed), accuracy, "zstd")
    return Stored(len(packed), accuracy)


def _bytes(tensor: torch.Tensor) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
