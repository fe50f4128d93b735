"""Several networks over one backbone in one file: what is shared, what is not, and tasks that are added later."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import pemncodec
from pemncodec import errors
from pemncodec.loading.load import load_network
from pemncodec.loading.original import load_original
from pemncodec.packing.save import save_tasks

from ..published import assert_equal, effective, filled_weights

KEEP = 0.5


def checkpoint(task: int, strategy: str = "random-vector-copy", *, classes: int = 10) -> dict[str, torch.Tensor]:
    """A network over the backbone of its strategy: its own scores, BatchNorm and head."""
    g = torch.Generator().manual_seed(100 + task)
    state: dict[str, torch.Tensor] = {}
    for name, weight in filled_weights(strategy).items():
        state[name] = weight.clone()
        state[name.replace("weight", "scores")] = torch.rand(weight.shape, generator=g)
    state["norm.weight"] = torch.rand(32, generator=g)
    state["norm.running_mean"] = torch.randn(32, generator=g)
    state["norm.num_batches_tracked"] = torch.tensor(7)
    state["frozen.bias"] = torch.arange(5.0)
    state["head.bias"] = torch.randn(classes, generator=g)
    return state


TASKS = {name: checkpoint(number) for number, name in enumerate(("cars", "birds", "flowers"))}


@pytest.mark.parametrize("strategy", ["full", "one-layer", "max-layer", "random-vector-copy", "random-vector-rand"])
def test_every_task_comes_back(strategy: str, tmp_path: Path) -> None:
    tasks = {name: checkpoint(number, strategy) for number, name in enumerate(("cars", "birds", "flowers"))}
    path = tmp_path / "all.pemn"
    report = save_tasks(tasks, path, keep=KEEP)
    assert report.tasks == list(tasks)
    with pemncodec.open(path) as file:
        assert file.tasks == list(tasks)
        with pytest.raises(errors.NotFoundError, match="holds 3 tasks: choose one of 'cars', 'birds', 'flowers'"):
            file.keys()
    for name, state in tasks.items():
        found = pemncodec.load_file(path, task=name)
        assert list(found) == [key for key in state if not key.endswith("scores")]
        assert_equal(found, effective(state, KEEP))
        with pemncodec.open(path, task=name) as file:
            assert_equal({key: file.get_tensor(key) for key in file}, effective(state, KEEP))


def test_what_is_equal_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "all.pemn"
    save_tasks(TASKS, path, keep=KEEP)
    network = load_network(path)
    assert [entry.name for entry in network.entries if entry.task == 0] == ["norm.num_batches_tracked", "frozen.bias"]
    assert len(network.prototypes) == 1
    masked = [entry for entry in network.layers if entry.name == "0.weight"]
    assert [entry.task for entry in masked] == [1, 2, 3]
    # equal masks, too: a layer that no task changed belongs to all of them
    same = {name: {**state, "0.scores": TASKS["cars"]["0.scores"]} for name, state in TASKS.items()}
    save_tasks(same, path, keep=KEEP)
    assert next(entry.task for entry in load_network(path).entries if entry.name == "0.weight") == 0


def test_adding_a_task_leaves_the_others(tmp_path: Path) -> None:
    some, more = tmp_path / "some.pemn", tmp_path / "more.pemn"
    save_tasks({name: TASKS[name] for name in ("cars", "birds")}, some, keep=KEEP, metadata={"by": "me"})
    before = {name: pemncodec.load_file(some, task=name) for name in ("cars", "birds")}
    save_tasks({"flowers": TASKS["flowers"]}, more, add_to=some, keep=0.3)
    for name, expected in before.items():
        assert_equal(pemncodec.load_file(more, task=name), expected)
    assert_equal(pemncodec.load_file(more, task="flowers"), effective(TASKS["flowers"], 0.3))
    assert len(load_network(more).prototypes) == 1
    with pemncodec.open(more) as file:
        assert file.metadata["by"] == "me"
    # in place, and from nothing but the file: as if all had been packed together
    together = tmp_path / "together.pemn"
    save_tasks(TASKS, together, keep=KEEP)
    save_tasks({"flowers": TASKS["flowers"]}, some, add_to=some, keep=KEEP, metadata={"by": "me"})
    assert abs(some.stat().st_size - together.stat().st_size) < 64


def test_adding_what_differs_in_a_common_tensor(tmp_path: Path) -> None:
    path = tmp_path / "all.pemn"
    save_tasks(TASKS, path, keep=KEEP)
    other = {**checkpoint(9), "frozen.bias": torch.ones(5), "new.weight": torch.rand(3)}
    del other["head.bias"]
    save_tasks({"other": other}, path, add_to=path, keep=KEEP)
    for name, state in {**TASKS, "other": other}.items():
        assert_equal(pemncodec.load_file(path, task=name), effective(state, KEEP))


def test_networks_of_pemncodec_and_tied_tensors(tmp_path: Path) -> None:
    from pemncodec.nn import mask_network

    states = {}
    for number in range(2):
        torch.manual_seed(number)
        model = torch.nn.Sequential(torch.nn.Linear(40, 30), torch.nn.Linear(30, 40))
        mask_network(model, strategy="random-vector", keep=0.4, ratio=0.05, seed=3)
        states[f"t{number}"] = dict(model.state_dict())
        states[f"t{number}"]["again"] = states[f"t{number}"]["0.bias"]
    path = tmp_path / "nn.pemn"
    save_tasks(states, path)
    single = {name: pemncodec.load(pemncodec.save(state)) for name, state in states.items()}
    for name, expected in single.items():
        found = pemncodec.load_file(path, task=name)
        assert_equal(found, expected)
        assert found["again"] is found["0.bias"]
    save_tasks({"t2": states["t0"]}, path, add_to=path)
    for name, expected in {**single, "t2": single["t0"]}.items():
        assert_equal(pemncodec.load_file(path, task=name), expected)
    # and back: the recipes and scores of one task
    back = load_original(path, task="t1")
    assert_equal(pemncodec.load(pemncodec.save(back)), single["t1"])


def test_the_layout_that_was_packed_of_one_task(tmp_path: Path) -> None:
    path = tmp_path / "all.pemn"
    nested = {name: {"state_dict": state, "epoch": 3} for name, state in TASKS.items()}
    save_tasks({**nested, "plain": checkpoint(5)}, path, keep=KEEP)
    for name, state in TASKS.items():
        back = load_original(path, task=name)
        assert list(back) == ["state_dict"]
        assert set(back["state_dict"]) == set(state)
        assert_equal(effective(back["state_dict"], KEEP), effective(state, KEEP))
    assert set(load_original(path, task="plain")) == set(checkpoint(5))
    with pytest.raises(errors.NotFoundError, match="holds 4 tasks"):
        load_original(path)


def test_ten_tasks_cost_nine_masks_more(tmp_path: Path) -> None:
    """The bar: one file, nine masks and nine sets of task tensors, within 2 %."""
    g = torch.Generator().manual_seed(0)
    sizes = [200, 3000, 20_000, 30_000, 40_000]
    vector = torch.randn(401, generator=g)
    weights = {f"{i}.weight": vector.repeat(size // 401 + 1)[:size].reshape(-1, 10) for i, size in enumerate(sizes)}

    def network(task: int) -> dict[str, torch.Tensor]:
        g = torch.Generator().manual_seed(1 + task)
        scores = {name.replace("weight", "scores"): torch.rand(w.shape, generator=g) for name, w in weights.items()}
        return {**weights, **scores, "bn.running_mean": torch.randn(256, generator=g)}

    tasks = {f"task{number}": network(number) for number in range(10)}
    path, one = tmp_path / "ten.pemn", tmp_path / "one.pemn"
    save_tasks(tasks, path, keep=KEEP)
    report = pemncodec.save_file(tasks["task0"], one, keep=KEEP)
    bound = report.sizes.total + 9 * (report.sizes.masks + 256 * 4)
    assert path.stat().st_size <= 1.02 * bound


# --- what cannot be --------------------------------------------------------------------------------------------------


def test_errors(tmp_path: Path) -> None:
    path = tmp_path / "x.pemn"
    cars = {"cars": TASKS["cars"]}
    with pytest.raises(errors.MaskRuleError, match=r"task 'cars': .* fraction of weights to keep is not in the file"):
        save_tasks(cars, path)
    with pytest.raises(errors.UnknownLayoutError, match="tasks of one file have one family and rule"):
        save_tasks({**cars, "dense": {"weight": torch.rand(3, 3)}}, path, ties="stable", rule="sigmoid")
    with pytest.raises(errors.UnknownLayoutError, match="there is no task"):
        save_tasks({}, path)
    inner = {"l.weight": torch.rand(4, 4), "l.scores.0": torch.rand(4, 4), "l.scores.1": torch.rand(4, 4)}
    with pytest.raises(errors.UnknownLayoutError, match="task 'cars' itself has tasks"):
        save_tasks({"cars": inner}, path, keep=KEEP)
    assert not path.exists()

    pemncodec.save_file(TASKS["cars"], path, keep=KEEP)
    before = path.read_bytes()
    with pytest.raises(errors.NetworkError, match="holds one network and no tasks: pack it again with a name"):
        save_tasks(cars, path, add_to=path, keep=KEEP)
    assert path.read_bytes() == before
    save_tasks(cars, path, keep=KEEP)
    with pytest.raises(errors.NetworkError, match="already has a task 'cars'"):
        save_tasks(cars, path, add_to=path, keep=KEEP)
    with pytest.raises(errors.ConversionError, match="holds 2 tasks, which cannot be converted"):
        pemncodec.save(inner, keep=KEEP, tensor_dtype="float16")


def test_a_task_of_a_supsup_file_cannot_be_written_alone() -> None:
    inner = {"l.weight": torch.rand(4, 4), "l.scores.0": torch.rand(4, 4), "l.scores.1": torch.rand(4, 4)}
    data = pemncodec.save(inner, keep=KEEP)
    with pytest.raises(errors.OutputError, match="'supsup' holds all tasks in one checkpoint"):
        load_original(data, task="0")
    assert set(load_original(data)) == set(inner)
