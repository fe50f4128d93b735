"""The networks that are compared, by name; each is made when its turn comes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import samples, synthetic, trained
from .network import Network

Case = Callable[[], Network]


def quick() -> dict[str, Case]:
    """Two that take no time."""
    return {
        "tiny, seeded": partial(synthetic.tiny, "tiny, seeded"),
        "tiny, pruned": partial(synthetic.tiny_pruned, "tiny, pruned"),
    }


def full(trainer: trained.Trainer, folder: Path | None) -> dict[str, Case]:
    """All others, the small ones first.

    Args:
        trainer: of the networks that are trained here.
        folder: where the samples are; without it their cases raise FileNotFoundError.
    """
    cases: dict[str, Case] = {name: partial(_sample, name, folder) for name in samples.FILES}
    for kind, network in (("convmixer", "ConvMixer 256/6"), ("resnet", "ResNet-56")):
        seeded, published = f"{network}, random vector 1e-3, seed", f"{network}, random vector 1e-3, no seed"
        cases[seeded] = partial(trained.masked, trainer, kind, seeded)
        cases[published] = partial(trained.published, trainer, kind, published)
    for fraction in (0.9, 0.98):
        name = f"ConvMixer 256/6, pruned {fraction:.0%}".replace("%", " %")
        cases[name] = partial(trained.pruned, trainer, fraction, name)
    name = "ResNet-20 × 64, signed constants, keep 0.3"
    cases[name] = partial(synthetic.signed_constants, name)
    for keep in (0.5, 0.3):
        name = f"ViT-B, random vector 1e-3, keep {keep}"
        cases[name] = partial(synthetic.vit, name, keep)
    return cases


def _sample(name: str, folder: Path | None) -> Network:
    if folder is None:
        raise FileNotFoundError("no folder of samples was given (--samples)")
    return samples.sample(name, folder)
