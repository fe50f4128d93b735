"""Networks that are trained here, briefly, and kept in a cache: masked ones, and a dense one to prune."""

from __future__ import annotations

import copy
import math
import sys
from dataclasses import replace
from pathlib import Path

import torch
from experiments import data, training
from experiments.data import Images
from experiments.settings import Architecture, Recipe, Setting
from torch import nn
from torch.nn.utils import parametrize

from pemncodec.nn.masking import MaskedFill

from .network import Masked, Network, top

KEEP, RATIO, SEED = 0.5, 1e-3, 0
# Images of CIFAR-10 that an epoch takes: a few minutes on one core. Masks and BatchNorm only have to be trained ones.
CIFAR_IMAGES = {"convmixer": 10_000, "resnet": 5000}
EPOCHS = {"digits": 10, "cifar10": 2, "cifar10-jpeg": 2}


def architecture(kind: str, images: Images) -> Architecture:
    """ConvMixer 256/6, its patches as small as the images ask for, or the ResNet-56 of CIFAR."""
    if kind == "resnet":
        return Architecture("resnet", 16, 56, patch=1)
    return Architecture("convmixer", 256, 6, kernel=8, patch=2 if images.train.shape[-1] < 32 else 4)


class Trainer:
    """Trains, or finds in the cache, which is made anew where it is missing.

    Args:
        path: of CIFAR-10 (see `experiments.data.load`), or None for the packaged digits.
        cache: folder of trained checkpoints.
    """

    def __init__(self, path: Path | None, cache: Path) -> None:
        self.path = path
        self.cache = cache
        self._images: Images | None = None

    @property
    def images(self) -> Images:
        """All of them; read when they are needed first."""
        if self._images is None:
            self._images = data.load(self.path)
        return self._images

    def model(self, kind: str, method: str) -> tuple[nn.Module, dict[str, object]]:
        """A trained network in evaluation mode, and how it was trained."""
        images = self.images
        if images.name != "digits":
            count = CIFAR_IMAGES[kind]
            images = replace(images, train=spread(images.train, count), train_labels=spread(images.train_labels, count))
        masked = {"strategy": "random-vector", "ratio": RATIO, "keep": KEEP} if method == "masked" else {}
        setting = Setting(architecture(kind, images), method, **masked)  # type: ignore[arg-type]
        recipe = Recipe(EPOCHS[images.name], batch=64)
        facts: dict[str, object] = {
            "origin": f"trained on {images.name}",
            "training_images": len(images.train),
            "epochs": recipe.epochs,
        }
        path = self.cache / f"{kind}-{method}-{images.name}-{len(images.train)}x{recipe.epochs}.pt"
        if path.exists():
            saved = torch.load(path, weights_only=True)
            model = training.prepare(setting, images, SEED)
            model.load_state_dict(saved["model"])
            return model.eval(), facts | {"accuracy": saved["accuracy"]}
        name = f"{setting.architecture.name}, {setting.name}, {images.name}"
        partial = path.with_suffix(".partial")

        def say(line: str) -> None:
            print(f"  training {name}: {line}", file=sys.stderr, flush=True)

        say(f"{len(images.train)} images, {recipe.epochs} epochs")
        model = training.train(setting, images, recipe, SEED, partial, say).cpu()
        shown = replace(images, test=spread(images.test, 1000), test_labels=spread(images.test_labels, 1000))
        accuracy = round(training.accuracy(model.to(training.device()), shown), 1)
        whole = path.with_suffix(".part")  # an interrupted run leaves no half of a file
        torch.save({"model": model.cpu().state_dict(), "accuracy": accuracy}, whole)
        whole.replace(path)
        partial.unlink(missing_ok=True)
        return model, facts | {"accuracy": accuracy}


def spread(items: torch.Tensor, count: int) -> torch.Tensor:
    """About `count` of the items, evenly spread: a data set may be sorted by class."""
    return items[:: max(1, len(items) // count)]


def masked(trainer: Trainer, kind: str, name: str) -> Network:
    """A masked network of `pemncodec.nn`: what its state_dict holds is scores and recipes."""
    model, facts = trainer.model(kind, "masked")
    layers = {path: module for path, module in model.named_modules() if parametrize.is_parametrized(module)}
    found: dict[str, Masked] = {}
    for path, module in layers.items():
        parametrizations = module.parametrizations["weight"]
        fill = parametrizations[0]
        assert isinstance(fill, MaskedFill)
        scores = parametrizations.original.detach()
        found[f"{path}.weight"] = Masked(fill.filled(scores).clone(), top(scores, KEEP))
    return Network(name, model.state_dict(), None, dense_state(model), found, shared=True, seeds=1, facts=facts)


def published(trainer: Trainer, kind: str, name: str) -> Network:
    """The same network as the published code would have saved it: filled weights beside scores, and no seed."""
    seeded = masked(trainer, kind, name)
    checkpoint: dict[str, object] = {}
    for path, tensor in seeded.tensors.items():
        checkpoint[path] = seeded.masked[path].fill if path in seeded.masked else tensor
        if path in seeded.masked:
            base = path.removesuffix(".weight")
            checkpoint[f"{base}.scores"] = seeded.checkpoint[f"{base}.parametrizations.weight.original"]
    return replace(seeded, checkpoint=checkpoint, keep=KEEP, seeds=None)


def pruned(trainer: Trainer, fraction: float, name: str) -> Network:
    """A trained dense ConvMixer, its smallest weights over all layers set to zero once; saved dense."""
    model, facts = trainer.model("convmixer", "dense")
    tensors = {path: tensor.clone() for path, tensor in model.state_dict().items()}
    weights = [path for path, tensor in tensors.items() if tensor.dim() > 1]
    sizes = torch.cat([tensors[path].abs().flatten() for path in weights]).sort().values
    cut = sizes[math.ceil(fraction * len(sizes)) - 1]
    found = {path: Masked(tensors[path], tensors[path].abs() > cut) for path in weights}
    tensors |= {path: layer.effective for path, layer in found.items()}
    facts = {name: value for name, value in facts.items() if name != "accuracy"}
    facts["origin"] = f"{facts['origin']}, then pruned once by magnitude"
    return Network(name, tensors, None, tensors, found, facts=facts)


def dense_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state_dict of the stock network: every parametrized weight as the module itself computes it."""
    plain = copy.deepcopy(model).eval()
    with torch.no_grad():
        for module in plain.modules():
            if parametrize.is_parametrized(module):
                parametrize.remove_parametrizations(module, "weight")
    return {name: tensor.detach().clone() for name, tensor in plain.state_dict().items()}
