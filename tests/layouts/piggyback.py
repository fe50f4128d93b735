"""arunmallya/piggyback: src/pack.py, src/networks.py, src/modnets/layers.py.

pack.py saves {"dataset2masks": {dataset: {index: ByteTensor}}, "dataset2classifiers": {dataset: nn.Linear}}. The index
is the place of the module in `model.shared.modules()`, the Sequential itself being 0; every convolution there, and
VGG's first two Linear layers, have a mask. `shared` is the pretrained network without its classifier, in order, so the
masks by rising index are the weights of two and more dimensions in the order of the backbone's state_dict, but for the
classifier's. Neither weights nor BatchNorm are in the file; with --train_bn the latter is lost.

Evaluation: the backbone's weight is set to 0 where the mask is 0, and negated where it is −1, which a ByteTensor stores
as 255 (and PyTorch's eq(−1) finds). The masks came from Binarizer (1 where the real-valued one > 5e-3) or Ternarizer
(−1 where < 0, 1 where > 5e-3, else 0).

The classifiers are pickled modules, so the file as published needs an unsafe load; the cases leave that entry out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .case import Case, StateDict, Tasks, torch_case
from .parts import seeded


class Block(nn.Module):
    """The modules of a residual block, in their order."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside))


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(2)
        self.layer1 = nn.Sequential(Block(8, 8))
        self.layer2 = nn.Sequential(Block(8, 12))
        self.avgpool = nn.AvgPool2d(2)
        self.fc = nn.Linear(12, 10)

    def shared(self) -> nn.Sequential:
        children = nn.Sequential()
        for name, module in self.named_children():
            if name != "fc":
                children.add_module(name, module)
        return children


class VGG(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        convolutions = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 10, 3), nn.ReLU(), nn.MaxPool2d(2)]
        linear = [nn.Linear(40, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, 20), nn.ReLU(), nn.Dropout()]
        self.features = nn.Sequential(*convolutions)
        self.classifier = nn.Sequential(*linear, nn.Linear(20, 10))

    def shared(self) -> nn.Sequential:
        return nn.Sequential(*self.features, nn.Flatten(), *list(self.classifier)[:-1])


Network = ResNet | VGG


def backbone(kind: type[Network], seed: int) -> tuple[Network, StateDict]:
    """A pretrained network and its state_dict."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = kind()
    g = seeded(seed)
    for name, tensor in network.state_dict().items():
        if "running" in name:
            tensor.copy_(torch.rand(tensor.shape, generator=g))
    return network, {name: tensor.clone() for name, tensor in network.state_dict().items()}


def masked_names(network: Network) -> dict[int, str]:
    """The name in the backbone of the weight at every index that has a mask."""
    names = {id(module): name for name, module in network.named_modules()}
    return {
        index: f"{names[id(module)]}.weight"
        for index, module in enumerate(network.shared().modules())
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def packed(network: Network, datasets: dict[str, float], ternary: bool, seed: int) -> dict[str, Any]:
    """The masks of datasets, each of its density."""
    g = seeded(seed)
    tensors = network.state_dict()
    found: dict[str, dict[int, torch.Tensor]] = {}
    for dataset, density in datasets.items():
        found[dataset] = {}
        for index, name in masked_names(network).items():
            kept = (torch.rand(tensors[name].shape, generator=g) < density).to(torch.int64)
            negative = torch.rand(kept.shape, generator=g) < 0.1 if ternary else torch.zeros(kept.shape)
            found[dataset][index] = torch.where(negative.bool(), -kept, kept).to(torch.uint8)
    return {"dataset2masks": found}


def _case(name: str, kind: type[Network], datasets: dict[str, float], ternary: bool, seed: int) -> Case:
    network, state = backbone(kind, seed)
    names = masked_names(network)
    checkpoint = packed(network, datasets, ternary, seed)

    def masks(checkpoint: Any) -> Tasks:
        return {
            dataset: {names[index]: mask != 0 for index, mask in found.items()}
            for dataset, found in checkpoint["dataset2masks"].items()
        }

    def evaluate(checkpoint: Any) -> Tasks:
        networks: Tasks = {}
        for dataset, found in checkpoint["dataset2masks"].items():
            networks[dataset] = {name: tensor.clone() for name, tensor in state.items()}
            for index, mask in found.items():
                weight = networks[dataset][names[index]]
                weight[mask.eq(0)] = 0
                weight[mask.eq(-1)] *= -1
        return networks

    effective: Tasks = {}
    for dataset, found in checkpoint["dataset2masks"].items():
        values = {names[index]: mask.view(torch.int8).float() for index, mask in found.items()}
        effective[dataset] = {
            name: tensor * values[name] + 0.0 if name in values else tensor for name, tensor in state.items()
        }
    return torch_case(f"piggyback, {name}", {"backbone": state}, checkpoint, effective, masks, evaluate, "packed.pt")


def cases() -> list[Case]:
    three = {"cubs_cropped": 0.8, "stanford_cars_cropped": 0.75, "flowers": 0.93}
    return [
        _case("binary, three datasets, ResNet", ResNet, three, False, 120),
        _case("ternary, two datasets, ResNet", ResNet, {"wikiart": 0.6, "sketches": 0.7}, True, 121),
        _case("binary, one dataset, VGG with biases", VGG, {"flowers": 0.9}, False, 122),
        _case("ternary, one dataset, VGG with biases", VGG, {"flowers": 0.9}, True, 123),
    ]
