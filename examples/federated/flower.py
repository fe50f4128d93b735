"""FedPM and FedAvg as apps of Flower, run by its simulation engine: every client is a process of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import fedpm
import numpy as np
import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MessageType, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg, Strategy
from flwr.simulation import run_simulation

import pemncodec

# One client after the other on each core, and no second thread beside: sums are the same on every run.
BACKEND: dict[str, dict[str, Any]] = {
    "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
    "init_args": {"num_cpus": 2, "include_dashboard": False, "log_to_driver": False},
}


@dataclass
class Rounds:
    """The numbers of a run, a value a round. `up`, `down`: bits a parameter and client; `accuracy`: per cent."""

    up: list[float] = field(default_factory=list)
    down: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)


class FedPM(Strategy):
    """Sends probabilities to all clients, and takes the mean of the masks that come back.

    Args:
        compressed: whether messages are `.pemn` files; else they are float32 arrays, as Flower sends them.
        rounds: where bits are noted.
    """

    def __init__(self, compressed: bool, rounds: Rounds) -> None:
        self.compressed, self.rounds = compressed, rounds
        self.last: dict[int, bytes] = {}  # the masks of each client in the round before, as a complete file

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Make the messages to the clients."""
        content = RecordDict({"config": ConfigRecord(dict(config) | {"turn": server_round})})
        if self.compressed:
            file = fedpm.down_file(_numpy(arrays))
            content["file"] = ConfigRecord({"pemn": file})
            size = len(file)
        else:
            content["arrays"] = arrays
            size = _bytes(arrays)
        self.rounds.down.append(8 * size / _parameters(arrays))
        return [Message(content, node, MessageType.TRAIN) for node in sorted(grid.get_node_ids())]

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Take the mean of the masks."""
        by_client = {int(reply.content["config"]["client"]): reply.content for reply in replies}
        if sorted(by_client) != list(range(fedpm.CLIENTS)):
            raise RuntimeError(f"round {server_round}: clients {sorted(by_client)} have answered")
        contents = [by_client[client] for client in range(fedpm.CLIENTS)]
        if self.compressed:
            files = [content["file"]["pemn"] for content in contents]
            last = [self.last.get(client) for client in range(fedpm.CLIENTS)]
            mean = fedpm.combine(files, last)
            for client, (file, base) in enumerate(zip(files, last, strict=True)):
                self.last[client] = fedpm.complete_file(pemncodec.load(file, base=base))
            size = sum(map(len, files))
        else:
            sent = [_numpy(content["arrays"]) for content in contents]
            mean = {name: np.mean([one[name] for one in sent], axis=0, dtype=np.float64) for name in sent[0]}
            size = sum(_bytes(content["arrays"]) for content in contents)
        result = _record(mean)
        self.rounds.up.append(8 * size / len(contents) / _parameters(result))
        return result, None

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Send nothing: the server tests by itself."""
        return []

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Return nothing."""
        return None

    def summary(self) -> None:
        """Print nothing."""


class OrderedFedAvg(FedAvg):
    """FedAvg that adds the clients in one order: sums of floats depend on it, and replies come as they come."""

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Sort the replies."""
        ordered = sorted(replies, key=lambda reply: int(reply.content["config"]["client"]))
        return super().aggregate_train(server_round, ordered)


client_app = ClientApp()


@client_app.train()
def train(message: Message, context: Context) -> Message:
    """Do a client's part of a round, of any of the three experiments."""
    torch.set_num_threads(1)
    client, config = int(context.node_config["partition-id"]), message.content["config"]
    seed, turn = int(config["seed"]), int(config.get("turn", config.get("server-round", 0)))
    data = fedpm.digits(seed)[0][client]
    content = RecordDict({"config": ConfigRecord({"client": client})})
    if config["method"] == "fedavg":
        model = fedpm.dense_round(message.content["arrays"].to_torch_state_dict(), data, seed, turn, client)
        content["arrays"] = ArrayRecord(model)
        content["metrics"] = MetricRecord({"num-examples": len(data.labels)})
    elif "file" in message.content:
        probabilities = fedpm.read_down(message.content["file"]["pemn"])
        masks = fedpm.client_round(probabilities, data, seed, turn, client)
        last = context.state["last"]["pemn"] if "last" in context.state else None
        file = fedpm.up_file(masks, last)
        content["file"] = ConfigRecord({"pemn": file})
        context.state["last"] = ConfigRecord({"pemn": fedpm.complete_file(masks)})
    else:
        masks = fedpm.client_round(_numpy(message.content["arrays"]), data, seed, turn, client)
        content["arrays"] = ArrayRecord({name: mask.float() for name, mask in masks.items()})
    return Message(content, reply_to=message)


def run(method: str, rounds: int, seed: int) -> Rounds:
    """Run an experiment.

    Args:
        method: `"pemn"`, `"uncompressed"` or `"fedavg"`.

    Returns:
        bits and accuracy of every round.
    """
    found = Rounds()
    _, test = fedpm.digits(seed)
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        torch.set_num_threads(1)

        def evaluate(turn: int, arrays: ArrayRecord) -> MetricRecord:
            if method == "fedavg":
                right = fedpm.accuracy(fedpm.dense_model(arrays.to_torch_state_dict()), test)
            else:
                right = fedpm.evaluate(_numpy(arrays), test, seed, turn)
            if turn:
                found.accuracy.append(right)
            return MetricRecord({"accuracy": right})

        config = ConfigRecord({"method": method, "seed": seed})
        if method == "fedavg":
            start = ArrayRecord(fedpm.first_dense(seed))
            strategy: Strategy = OrderedFedAvg(fraction_evaluate=0.0, min_available_nodes=fedpm.CLIENTS)
            bits = 8 * _bytes(start) / _parameters(start)
            found.up, found.down = [bits] * rounds, [bits] * rounds
        else:
            start = _record(fedpm.first_probabilities())
            strategy = FedPM(method == "pemn", found)
        strategy.start(grid, start, rounds, train_config=config, evaluate_fn=evaluate)

    logging.getLogger("flwr").setLevel(logging.ERROR)
    run_simulation(app, client_app, fedpm.CLIENTS, backend_config=BACKEND)
    if len(found.accuracy) != rounds:
        raise RuntimeError(f"the simulation ended after {len(found.accuracy)} of {rounds} rounds")
    return found


def _record(arrays: dict[str, Any]) -> ArrayRecord:
    return ArrayRecord({name: torch.from_numpy(one.astype(np.float32)) for name, one in arrays.items()})


def _numpy(arrays: ArrayRecord) -> dict[str, Any]:
    return {name: one.numpy() for name, one in arrays.to_torch_state_dict().items()}


def _parameters(arrays: ArrayRecord) -> int:
    return sum(one.numel() for one in arrays.to_torch_state_dict().values())


def _bytes(arrays: ArrayRecord) -> int:
    return sum(one.nbytes for one in arrays.to_torch_state_dict().values())
