"""Three questions about a network that is trained already, answered on small ones. One JSON row each.

1. Bernoulli masks are drawn in training and fixed in evaluation: what does that cost, and does it help to recalibrate
   BatchNorm?
2. Fewer bits at packing: the masks keep less than they were trained to keep, with BatchNorm recalibrated. Is that as
   good as training with the lower fraction, at equal bytes?
3. Small tensors in 8 bits, with one scale each, in the place of bfloat16: what do they save, and what do they cost?

    python benchmarks/after_training.py [--data CIFAR] [--epochs 3] [--width 16] [--seeds 2]

The networks are ResNet-8 with signed constants, trained as those of `compression.py`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from experiments import training
from experiments.data import Images, load
from experiments.runner import commit
from experiments.settings import Architecture, Recipe, Setting
from torch import nn

import pemncodec
from pemncodec.nn import MaskedFill, recalibrate_batchnorm, set_keep

KEPT = 0.5
LOWER = (0.4, 0.3, 0.2, 0.1)
PROFILE = {"fold_batchnorm": True, "tensor_dtype": "bfloat16"}


class Question:
    """The networks of one seed.

    Args:
        images: what they learn.
        recipe: how.
        width: of their first stage.
        seed: of everything.
    """

    def __init__(self, images: Images, recipe: Recipe, width: int, seed: int) -> None:
        self.images, self.recipe, self.seed = images, recipe, seed
        cifar = " --data CIFAR" if images.augment else ""
        self.command = f"python benchmarks/after_training.py{cifar} --epochs {recipe.epochs} --width {width}"
        self.architecture = Architecture("resnet", width, 8, patch=2 if images.augment else 1)

    def trained(self, sampler: str = "edge-popup", keep: float = KEPT) -> nn.Module:
        """A network of signed constants."""
        setting = Setting(self.architecture, "masked", "full", keep=keep, init="signed-constant", sampler=sampler)
        with tempfile.TemporaryDirectory() as folder:
            return training.train(
                setting, self.images, self.recipe, self.seed, Path(folder) / "state.pt", lambda _: None
            )

    def say(self, question: str, **found: object) -> None:
        """Print a row."""
        start = {"question": question, "data": self.images.name, "network": self.architecture.name}
        end = {"commit": commit(), "command": self.command}
        print(json.dumps({**start, "seed": self.seed, "epochs": self.recipe.epochs, **found, **end}), flush=True)

    def accuracy(self, state: dict[str, torch.Tensor]) -> float:
        """Of a decoded file, in percent."""
        network = self.architecture.build(self.images)
        network.load_state_dict({name: each.float() for name, each in state.items()}, strict=True)
        return round(training.accuracy(network, self.images), 2)

    def recalibrated(self, model: nn.Module) -> nn.Module:
        """The network with new statistics, in place."""
        recalibrate_batchnorm(model, training.batches(self.images, 40, 256))
        return model.eval()

    def stored(self, model: nn.Module) -> tuple[int, float]:
        """Bytes in the inference profile, and accuracy of what is decoded from them."""
        packed = pemncodec.save(model, **PROFILE)  # type: ignore[arg-type]
        return len(packed), self.accuracy(pemncodec.load(packed))


def drawn_accuracy(model: nn.Module, question: Question) -> float:
    """Accuracy with masks drawn as in training, and BatchNorm in evaluation."""
    model.eval()
    fills = [part for part in model.modules() if isinstance(part, MaskedFill)]
    mean, std = question.images.statistics()
    right = 0
    with torch.no_grad():
        for part in fills:
            part.train()
        for batch, labels in zip(question.images.test.split(500), question.images.test_labels.split(500), strict=True):
            right += int((model((batch.float() - mean) / std).argmax(1) == labels).sum())
    model.eval()
    return round(100 * right / len(question.images.test), 2)


def bernoulli(question: Question) -> None:
    """The first question."""
    model = question.trained("bernoulli")
    drawn = drawn_accuracy(model, question)
    _, fixed = question.stored(model)
    _, recalibrated = question.stored(question.recalibrated(model))
    scores = torch.cat([value.detach().flatten() for name, value in model.named_parameters() if "original" in name])
    undecided = ((scores.sigmoid() - 0.5).abs() < 0.25).float().mean().item()
    question.say(
        "Bernoulli", drawn=drawn, fixed=fixed, recalibrated=recalibrated, between_quarter_and_three=round(undecided, 3)
    )


def lower(question: Question, model: nn.Module) -> None:
    """The second question."""
    question.say(
        "keep", keep=KEPT, way="trained", **dict(zip(("bytes", "accuracy"), question.stored(model), strict=True))
    )
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for keep in LOWER:
        model.load_state_dict(state)
        set_keep(model, keep)
        size, bare = question.stored(model)
        _, accuracy = question.stored(question.recalibrated(model))
        question.say("keep", keep=keep, way="lowered", bytes=size, accuracy=accuracy, without_recalibration=bare)
        set_keep(model, KEPT)
    for keep in LOWER[1::2]:
        size, accuracy = question.stored(question.trained(keep=keep))
        question.say("keep", keep=keep, way="trained", bytes=size, accuracy=accuracy)


def eight_bits(question: Question, model: nn.Module) -> None:
    """The third question: every tensor but masked weights as int8 and one float32."""
    size, accuracy = question.stored(model)
    decoded = pemncodec.load(pemncodec.save(model, fold_batchnorm=True))
    masked = {name.removesuffix(".parametrizations.weight.original") + ".weight" for name in model.state_dict()}
    small = {name: each for name, each in decoded.items() if name not in masked and each.is_floating_point()}
    folded = {name: each for name, each in small.items() if not name.endswith(("running_mean", "running_var"))}
    scales = {name: each.abs().max().clamp(min=1e-12) / 127 for name, each in folded.items()}
    codes = {name: torch.round(each / scales[name]).to(torch.int8) for name, each in folded.items()}
    rounded = {**decoded, **{name: codes[name].float() * scales[name] for name in codes}}
    halves = {name: each.to(torch.bfloat16) for name, each in folded.items()}
    saved = len(pemncodec.save(halves)) - len(pemncodec.save(codes)) - 4 * len(scales)
    question.say(
        "int8",
        bytes_bfloat16=size,
        accuracy_bfloat16=accuracy,
        bytes_int8=size - saved,
        accuracy_int8=question.accuracy(rounded),
    )


def main() -> None:
    """Ask, for every seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="CIFAR-10, as for compression.py; default: digits")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    images = load(given.data)
    recipe = Recipe(given.epochs, precision="bfloat16" if images.augment else "float32")
    for seed in range(given.seeds):
        question = Question(images, recipe, given.width, seed)
        bernoulli(question)
        model = question.trained()
        eight_bits(question, model)
        lower(question, model)


if __name__ == "__main__":
    main()
