"""One ordinary training loop for every method, resumable after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils import prune

from pemncodec.nn import mask_network
from pemncodec.nn.scope import weights_in_scope

from .data import Images
from .settings import Recipe, Setting

PADDING = 4  # pixels by which a training image is shifted at most


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
            ratio=setting.ratio,
            keep=setting.keep,
            zeros=setting.zeros,
            permute=setting.permute,
            seed=seed,
        )
    if setting.method == "random":
        for module, name in list(weights_in_scope(model, None)):
            prune.random_unstructured(module, name, setting.pruned)
    return model


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
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=recipe.epochs * batches)
    order = torch.Generator().manual_seed(seed)
    half = recipe.epochs // 2 if setting.method == "magnitude" else None
    mean, std = (values.to(place) for values in images.statistics())
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location=place)
        first = int(saved["epoch"])
        if half is not None and first > half:
            _prune(model, setting.pruned)  # the names; the masks come from the checkpoint
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        order.set_state(saved["order"].cpu())
    for epoch in range(first, recipe.epochs):
        if epoch == half:
            _prune(model, setting.pruned)
        model.train()
        total = 0.0
        for picked in torch.randperm(len(images.train), generator=order).split(recipe.batch):
            batch = _augmented(images.train[picked], order) if images.augment else images.train[picked]
            optimizer.zero_grad()
            logits = model(_normalised(batch, mean, std))
            loss = nn.functional.cross_entropy(logits, images.train_labels[picked].to(place))
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(picked)
        say(f"epoch {epoch + 1}/{recipe.epochs}, loss {total / len(images.train):.3f}")
        _save(
            checkpoint,
            {
                "epoch": epoch + 1,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "order": order.get_state(),
            },
        )
    return model.eval()


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


def _prune(model: nn.Module, fraction: float) -> None:
    weights = list(weights_in_scope(model, None))
    prune.global_unstructured(weights, pruning_method=prune.L1Unstructured, amount=fraction)


def _normalised(batch: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """On the device of the statistics, with channels last in memory: convolutions follow suit, and are faster."""
    pixels = batch.to(mean.device).float()
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


def _augmented(batch: torch.Tensor, order: torch.Generator) -> torch.Tensor:
    """Each image flipped or not and shifted by up to `PADDING` pixels, black outside."""
    count, _, height, width = batch.shape
    padded = nn.functional.pad(batch, (PADDING,) * 4)
    top, left = torch.randint(0, 2 * PADDING + 1, (2, count, 1), generator=order)
    flipped = torch.rand(count, 1, generator=order) < 0.5
    columns = torch.where(flipped, torch.arange(width).flip(0), torch.arange(width)) + left
    rows = torch.arange(height) + top
    number = torch.arange(count)[:, None, None]
    return padded[number, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _save(path: Path, state: dict[str, object]) -> None:
    """Whole or not at all: an interrupted run resumes from the epoch before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    temporary.replace(path)
