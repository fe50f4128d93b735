"""One ordinary training loop for every method, resumable after each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pemncodec.nn import KeepSchedule, erdos_renyi, mask_network

from . import pruning
from .augmenting import augmented
from .data import Images
from .settings import Recipe, Setting


def device() -> torch.device:
    """The GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def prepare(setting: Setting, images: Images, seed: int) -> nn.Module:
    """The network before its first step."""
    torch.manual_seed(seed)
    model = setting.architecture.build(images)
    if setting.method == "masked":
        model = mask_network(
            model,
            strategy=setting.strategy,
            ratio=setting.ratio if setting.strategy == "random-vector" else None,
            keep=_fractions(setting, model),
            zeros=setting.zeros,
            permute=setting.permute,
            init=setting.init,
            zero=setting.zero,
            sampler=setting.sampler,
            trained=setting.trained,
            rescale=setting.rescale,
            coats=setting.coats,
            seed=seed,
        )
    pruning.prepare(model, setting)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _fractions(setting: Setting, model: nn.Module) -> float | dict[str, float]:
    """Return the fractions that the layers of a model that is not masked yet are to keep."""
    return erdos_renyi(model, setting.keep) if setting.layers == "erdos-renyi" else setting.keep


def _annealing(setting: Setting, model: nn.Module, images: Images, steps: int) -> KeepSchedule | None:
    """The schedule of what a masked network keeps, by steps."""
    if not setting.annealed:
        return None
    keep = _fractions(setting, setting.architecture.build(images))
    return KeepSchedule(model, keep, steps=max(3 * steps // 4, 1))


def train(
    setting: Setting,
    images: Images,
    recipe: Recipe,
    seed: int,
    checkpoint: Path,
    say: Callable[[str], None],
) -> nn.Module:
    """Train from scratch, or from `checkpoint` on, which is removed by the caller at the end.

    Returns:
        The trained network in evaluation mode.
    """
    place = device()
    model = prepare(setting, images, seed).to(place)
    batches = -(-len(images.train) // recipe.batch)
    plan = pruning.plan(setting, recipe.epochs)
    optimizer, schedule = _optimizer(model, recipe, plan.rewind or recipe.epochs, batches)
    annealing = _annealing(setting, model, images, recipe.epochs * batches)
    order = torch.Generator().manual_seed(seed)
    pictures, labels = images.train.to(place), images.train_labels.to(place)
    mean, std = (values.to(place) for values in images.statistics())
    first = 0
    early: dict[str, torch.Tensor] | None = None
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location=place)
        first, early = int(saved["epoch"]), saved["early"]
        if plan.rewind and first > plan.rewind:
            optimizer, schedule = _optimizer(model, recipe, recipe.epochs - plan.rewind, batches)
        if annealing is not None:
            annealing.load_state_dict({"steps": first * batches})
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        order.set_state(saved["order"].cpu())
        torch.set_rng_state(saved["random"].cpu())
    for epoch in range(first, recipe.epochs):
        if epoch in plan.amounts:
            pruning.by_magnitude(model, plan.amounts[epoch])
        if plan.rewind and epoch == plan.rewind:
            assert early is not None
            pruning.rewind(model, early)
            optimizer, schedule = _optimizer(model, recipe, recipe.epochs - plan.rewind, batches)
        model.train()
        total = torch.zeros((), device=place)
        for picked in torch.randperm(len(pictures), generator=order).to(place).split(recipe.batch):
            batch = pictures[picked]
            if images.augment:
                batch = augmented(batch, order, strong=recipe.augment == "strong")
            optimizer.zero_grad()
            with torch.autocast(place.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
                logits = model(_normalised(batch, mean, std))
            loss = nn.functional.cross_entropy(logits.float(), labels[picked])
            loss.backward()
            optimizer.step()
            schedule.step()
            if annealing is not None:
                annealing.step()
            total += loss.detach() * len(picked)
        if plan.rewind and epoch == 0:
            early = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        say(f"epoch {epoch + 1}/{recipe.epochs}, loss {total.item() / len(pictures):.3f}")
        _save(
            checkpoint,
            {
                "epoch": epoch + 1,
                "model": model.state_dict(),
                "early": early,
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "order": order.get_state(),
                "random": torch.get_rng_state(),
            },
        )
    return model.eval()


def step(setting: Setting, images: Images, recipe: Recipe, count: int = 4) -> tuple[nn.Module, float]:
    """Return a network after one step on `count` images, in evaluation mode, and the loss of that step."""
    place = device()
    model = prepare(setting, images, 0).to(place).train()
    optimizer, _ = _optimizer(model, recipe, recipe.epochs, 1)
    order = torch.Generator().manual_seed(0)
    mean, std = (values.to(place) for values in images.statistics())
    batch = images.train[:count].to(place)
    if images.augment:
        batch = augmented(batch, order, strong=recipe.augment == "strong")
    with torch.autocast(place.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        logits = model(_normalised(batch, mean, std))
    loss = nn.functional.cross_entropy(logits.float(), images.train_labels[:count].to(place))
    loss.backward()
    assert all(each.grad is None or bool(each.grad.isfinite().all()) for each in model.parameters())
    assert bool(loss.isfinite())
    if setting.method in pruning.MAGNITUDE:
        pruning.by_magnitude(model, setting.pruned)
    optimizer.step()
    return model.eval(), loss.item()


def _optimizer(
    model: nn.Module, recipe: Recipe, epochs: int, batches: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    steps = epochs * batches
    if recipe.schedule == "one-cycle":
        return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    corners, rates = [0.0, 0.4 * steps, 0.8 * steps, float(steps)], [0.0, 1.0, 0.05, 0.0]

    def factor(step: int) -> float:
        return float(np.interp(step + 1, corners, rates))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


@torch.no_grad()
def accuracy(model: nn.Module, images: Images) -> float:
    """Percent of the test images that are classified right."""
    place = next(model.parameters()).device
    mean, std = (values.to(place) for values in images.statistics())
    model.eval()
    right = 0
    for batch, labels in zip(images.test.split(500), images.test_labels.split(500), strict=True):
        logits = model(_normalised(batch, mean, std))
        right += int((logits.argmax(1) == labels.to(place)).sum())
    return 100 * right / len(images.test)


def batches(images: Images, count: int, size: int) -> Iterator[torch.Tensor]:
    """Training images as a network takes them in training, shifted and flipped, the same ones every time."""
    mean, std = (values.to(device()) for values in images.statistics())
    order = torch.Generator().manual_seed(0)
    picked = torch.randperm(len(images.train), generator=order)
    for part in picked[: count * size].split(size):
        batch = augmented(images.train[part], order) if images.augment else images.train[part]
        yield _normalised(batch, mean, std)


def _normalised(batch: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """On the device of the statistics, with channels last in memory: convolutions follow suit, and are faster."""
    pixels = batch.to(mean.device).float()
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


def _save(path: Path, state: dict[str, object]) -> None:
    """Whole or not at all: an interrupted run resumes from the epoch before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    temporary.replace(path)
