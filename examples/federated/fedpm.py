"""FedPM without a framework: the network, what a client does in a round, and how a server combines masks.

Isik et al., "Sparse Random Networks for Communication-Efficient Federated Learning" (ICLR 2023): the weights are random
and never change, clients train the probabilities of a mask, and send one mask drawn from these. The server's
probabilities are the mean of the masks: the mode of a Beta posterior whose prior is flat and begins anew every round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch.nn import functional

import pemncodec
from pemncodec import Mask
from pemncodec.nn import mask_network

CLIENTS = 10
WIDTHS = (64, 256, 256, 10)
# Probability of a one bit in the beginning. Below 1/2 a mask takes less than one bit a parameter from the first round.
KEEP = 0.3
# Probabilities stay off 0 and 1, where a logit would be infinite.
MARGIN = 0.02
EPOCHS, BATCH, RATE, DENSE_RATE = 5, 32, 0.1, 0.001
# Times the mean probability, in the loss: without it the share of ones drifts to a half, which costs a bit each.
PENALTY = 0.5

Flat = NDArray[np.float32]


@dataclass(frozen=True)
class Digits:
    """Samples of scikit-learn's digits. `inputs`: float32, (n, 64), in [0, 1]; `labels`: int64, (n,)."""

    inputs: torch.Tensor
    labels: torch.Tensor

    def part(self, rows: NDArray[np.intp]) -> Digits:
        """Return some of the samples."""
        index = torch.from_numpy(rows)
        return Digits(self.inputs[index], self.labels[index])


def digits(seed: int) -> tuple[list[Digits], Digits]:
    """Return the samples of each client, drawn without regard to labels, and a fifth of all to test with."""
    data, target = load_digits(return_X_y=True)
    everything = Digits(torch.from_numpy(data / 16).float(), torch.from_numpy(target).long())
    order = np.random.default_rng(seed).permutation(len(target))
    test, train = np.split(order, [len(order) // 5])
    return [everything.part(rows) for rows in np.array_split(train, CLIENTS)], everything.part(test)


def network() -> torch.nn.Sequential:
    """Return a network without biases, dense and not trained."""
    layers: list[torch.nn.Module] = []
    for ins, outs in pairwise(WIDTHS):
        layers += [torch.nn.Linear(ins, outs, bias=False), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def masked_network(seed: int) -> torch.nn.Sequential:
    """Return the network with random weights of signed constants, and scores: the logits of its masks."""
    return mask_network(network(), strategy="full", init="signed-constant", sampler="bernoulli", keep=KEEP, seed=seed)


def scores(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Return the scores of a masked network by the names of its weights."""
    suffix = ".parametrizations.weight.original"
    return {
        name.removesuffix(suffix) + ".weight": score
        for name, score in model.named_parameters()
        if name.endswith(suffix)
    }


def train(model: torch.nn.Module, data: Digits, rate: float, generator: torch.Generator, penalty: float = 0.0) -> None:
    """Train what the model has parameters for: scores, or dense weights."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    model.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(data.labels), generator=generator).split(BATCH):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(data.inputs[rows]), data.labels[rows])
            if penalty:
                probabilities = [torch.sigmoid(one).flatten() for one in scores(model).values()]
                loss = loss + penalty * torch.cat(probabilities).mean()
            loss.backward()
            optimizer.step()


def accuracy(model: torch.nn.Module, data: Digits) -> float:
    """Return the percentage of samples that the model gets right."""
    with torch.no_grad():
        return 100 * float((model(data.inputs).argmax(1) == data.labels).float().mean())


def client_round(
    probabilities: Mapping[str, Flat], data: Digits, seed: int, turn: int, client: int
) -> dict[str, torch.Tensor]:
    """Train the probabilities on a client's samples, and draw the mask that it sends.

    Args:
        probabilities: of one bits, by the name of the weight, in its shape.
        seed, turn, client: of the experiment, the round and the client. They alone decide what is drawn.

    Returns:
        bool tensors by the name of the weight.
    """
    torch.manual_seed(seed * 1_000_003 + turn * 1_009 + client)  # training draws a mask for every batch
    model = masked_network(seed)
    with torch.no_grad():
        for name, score in scores(model).items():
            clipped = np.clip(probabilities[name], MARGIN, 1 - MARGIN)
            score.copy_(torch.logit(torch.from_numpy(clipped)))
    train(model, data, RATE, torch.Generator().manual_seed(seed * 7_919 + turn * 31 + client), PENALTY)
    rng = np.random.default_rng([seed, turn, client])
    trained = {name: torch.sigmoid(score.detach()) for name, score in scores(model).items()}
    return {
        name: torch.from_numpy(Mask.sample(one.numpy(), rng).to_bool()).reshape(one.shape)
        for name, one in trained.items()
    }


def evaluate(probabilities: Mapping[str, Flat], data: Digits, seed: int, turn: int) -> float:
    """Return the accuracy of the random network under one mask that is drawn from the probabilities."""
    drawn = drawn_masks(probabilities, seed, turn)
    model = masked_network(seed).eval()
    with torch.no_grad():
        for name, score in scores(model).items():  # in evaluation a score of at least 0 keeps its weight
            kept = torch.from_numpy(drawn[name].to_bool()).reshape(score.shape)
            score.copy_(torch.where(kept, 1.0, -1.0))
    return accuracy(model, data)


def drawn_masks(probabilities: Mapping[str, Flat], seed: int, turn: int) -> dict[str, Mask]:
    """Return the masks that `evaluate` draws."""
    rng = np.random.default_rng([seed, turn, CLIENTS])
    return {name: Mask.sample(one, rng) for name, one in probabilities.items()}


def first_dense(seed: int) -> dict[str, torch.Tensor]:
    """Return the weights that federated averaging begins with."""
    torch.manual_seed(seed)
    return network().state_dict()


def dense_model(state: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """Return the dense network with these weights."""
    model = network()
    model.load_state_dict(dict(state))
    return model


def dense_round(
    state: Mapping[str, torch.Tensor], data: Digits, seed: int, turn: int, client: int
) -> dict[str, torch.Tensor]:
    """Train the dense network on a client's samples, and return its weights."""
    model = dense_model(state)
    train(model, data, DENSE_RATE, torch.Generator().manual_seed(seed * 7_919 + turn * 31 + client))
    return model.state_dict()


# --- messages -----------------------------------------------------------------------------------------------------


def first_probabilities() -> dict[str, Flat]:
    """Return the probabilities of the first round."""
    names = {name: tuple(score.shape) for name, score in scores(masked_network(0)).items()}
    return {name: np.full(shape, KEEP, dtype=np.float32) for name, shape in names.items()}


def complete_file(masks: Mapping[str, torch.Tensor]) -> bytes:
    """Return masks as a `.pemn` file that needs no other. The same masks give the same bytes, on both sides."""
    return pemncodec.save(dict(masks))


def up_file(masks: Mapping[str, torch.Tensor], last: bytes | None) -> bytes:
    """Return the message of a client: a delta against its masks of the round before, where that is smaller.

    Args:
        last: `complete_file` of the round before.
    """
    return complete_file(masks) if last is None else pemncodec.save(dict(masks), base=last)


def down_file(probabilities: Mapping[str, Flat]) -> bytes:
    """Return the server's probabilities, float32, as a `.pemn` file. After a round they have `CLIENTS` + 1 values."""
    return pemncodec.save({name: torch.from_numpy(one) for name, one in probabilities.items()})


def read_down(file: bytes) -> dict[str, Flat]:
    """Return the probabilities of `down_file`."""
    return {name: one.numpy() for name, one in pemncodec.load(file).items()}


def combine(files: Sequence[bytes], last: Sequence[bytes | None]) -> dict[str, Flat]:
    """Return the mean of the clients' masks.

    Args:
        files: of this round, from `up_file`.
        last: `complete_file` of the masks of the same clients in the round before.
    """
    opened = [pemncodec.open(file, base=base) for file, base in zip(files, last, strict=True)]
    names = opened[0].keys()
    return {
        name: Mask.mean(file.get_mask(name) for file in opened).astype(np.float32).reshape(opened[0].shape(name))
        for name in names
    }
