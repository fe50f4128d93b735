"""Sizes of files: the overhead beside the payload, and the bars of the sample networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from experiments.networks import convmixer

import pemncodec
from pemncodec.nn import mask_network

from .. import published

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"


def resnet56() -> published.StateDict:
    """The names and shapes of a ResNet-56 for CIFAR-10, RP weights with scores; 340 tensors with its scores apart."""
    g = torch.Generator().manual_seed(0)
    state: published.StateDict = {}
    vector = torch.randn(37, generator=g)

    def weight(name: str, *shape: int) -> None:
        count = torch.Size(shape).numel()
        state[f"{name}.weight"] = vector.repeat(count // 37 + 1)[:count].reshape(shape).clone()
        state[f"{name}.scores"] = torch.rand(shape, generator=g)

    def norm(name: str, channels: int) -> None:
        for kind in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{kind}"] = torch.rand(channels, generator=g)
        state[f"{name}.num_batches_tracked"] = torch.tensor(70_000)

    weight("conv1", 16, 3, 3, 3)
    norm("bn1", 16)
    before = 16
    for stage, channels in enumerate((16, 32, 64), 1):
        for block in range(9):
            prefix = f"layer{stage}.{block}"
            weight(f"{prefix}.conv1", channels, before, 3, 3)
            norm(f"{prefix}.bn1", channels)
            weight(f"{prefix}.conv2", channels, channels, 3, 3)
            norm(f"{prefix}.bn2", channels)
            if before != channels:
                weight(f"{prefix}.shortcut.0", channels, before, 1, 1)
                norm(f"{prefix}.shortcut.1", channels)
            before = channels
    weight("linear", 10, 64)
    state["linear.bias"] = torch.rand(10, generator=g)
    return state


def test_overhead_of_a_resnet56() -> None:
    state = resnet56()
    sizes = pemncodec.pack(state, keep=0.5)[1].sizes
    assert len(state) - sum(name.endswith("scores") for name in state) > 340
    assert 105_000 < sizes.masks < 110_000
    assert sizes.rest < 0.02 * sizes.total


@pytest.mark.parametrize(("name", "keep", "most"), [("pemn_rp1e-2_copy", 0.5, 12_200), ("hn_fc_sc_k03", 0.3, 41_000)])
def test_sample_sizes(name: str, keep: float, most: int) -> None:
    path = SAMPLES / f"{name}.pt"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this repository: its size is not checked")
    assert len(pemncodec.save(pemncodec.load_checkpoint(path), keep=keep)) <= most


@pytest.mark.parametrize("strategy", ["random-vector", "max-layer", "one-layer", "full"])
def test_a_seeded_network_is_masks_and_batch_norm(strategy: str) -> None:
    """ConvMixer 256/6: whatever the strategy, prototypes are seeds: each further one takes twenty bytes at most."""
    model = mask_network(convmixer(256, 6, 7, 2), strategy=strategy, ratio=1e-3)
    model.train()(torch.rand(2, 3, 8, 8))  # the statistics of BatchNorm are any numbers
    data, report = pemncodec.pack(model)
    masks = sum(-(-tensor.numel() // 8) for name, tensor in model.state_dict().items() if name.endswith("original"))
    norms = [m.state_dict().values() for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    batch_norm = sum(tensor.numel() * tensor.element_size() for tensors in norms for tensor in tensors)
    assert report.sizes.prototypes == 0
    assert len(data) - masks - batch_norm < 1500
    assert report.sizes.rest < 360 + 20 * (len(pemncodec.load_network(data).prototypes) - 1)


def test_masks_of_density_one_half_cost_one_bit_a_weight() -> None:
    sizes = pemncodec.pack(published.checkpoint("random-vector-copy"), keep=0.5)[1].sizes
    assert sizes.masks <= sizes.masked_weights / 8 + 6


def test_an_empty_network_is_tiny() -> None:
    assert len(pemncodec.save(pemncodec.MaskedNetwork())) < 64
