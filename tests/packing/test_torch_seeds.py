"""Packing networks that PyTorch drew: the seed is found again, the file is its masks and little else, and exact."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from seeds import last_places

import pemncodec
from pemncodec import errors
from pemncodec.container.manifest.pytorch_rows import PytorchRow
from pemncodec.loading.file import PemnFile
from pemncodec.packing.seeds import find as seeding

from ..cli.test_cli import fails, pemn
from ..networks import assert_same
from ..published import assert_equal, effective

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
State = dict[str, torch.Tensor]


def hidden_networks_fc(seed: int, init: str = "kaiming_normal") -> State:
    """An MLP as allenai/hidden-networks makes it: default draws, scores, and then the frozen weights."""
    torch.manual_seed(seed)
    state: State = {}
    for name, inputs, outputs in (("fc1", 784, 300), ("fc2", 300, 100), ("fc3", 100, 10)):
        layer = torch.nn.Linear(inputs, outputs, bias=False)
        scores = torch.empty_like(layer.weight)
        torch.nn.init.kaiming_uniform_(scores, a=math.sqrt(5))
        if init == "kaiming_normal":
            torch.nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
        elif init == "signed_constant":
            layer.weight.data = layer.weight.data.sign() * math.sqrt(2 / inputs)
        state[f"{name}.weight"] = layer.weight.detach().clone()
        state[f"{name}.scores"] = scores
    return state


def generated(data: bytes) -> list[PytorchRow]:
    with PemnFile(data) as file:
        return [row for row in file.decoder.manifest.prototypes if isinstance(row, PytorchRow)]


def test_hidden_networks_kaiming_normal() -> None:
    """The bar: at most 35,500 B for 266,200 weights, bit for bit; no patches where the dialect is known."""
    state = hidden_networks_fc(11)
    data, report = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=11)
    assert len(data) <= 35_500
    assert_equal(pemncodec.load(data), pemncodec.load(pemncodec.save(state, keep=0.5, ties="stable")))
    assert "torch.manual_seed(11) made 3 of 3 vectors (normal)" in report.findings
    assert [len(row.patches) for row in generated(data)] == [0, 0, 0]
    assert_same(data)


def test_signs_of_the_default_draw() -> None:
    state = hidden_networks_fc(23, "signed_constant")
    data, report = pemncodec.pack(state, keep=0.3, torch_seed=23, ties="stable")
    assert "torch.manual_seed(23) made 3 of 3 vectors (signs of uniform)" in report.findings
    assert report.sizes.kept == report.sizes.prototypes == 0
    assert_equal(pemncodec.load(data), pemncodec.load(pemncodec.save(state, keep=0.3, ties="stable")))


def test_max_layer_padding() -> None:
    """Every layer a prefix of the largest, which was drawn last."""
    torch.manual_seed(5)
    shapes = [(32, 3, 3, 3), (64, 32, 3, 3), (64, 64, 3, 3), (10, 64)]
    drawn = [torch.empty(shape) for shape in shapes]
    for tensor in drawn:
        torch.nn.init.kaiming_normal_(tensor)
    largest = drawn[2].flatten()
    state = {}
    for number, shape in enumerate(shapes):
        state[f"{number}.weight"] = largest[: math.prod(shape)].reshape(shape).clone()
        state[f"{number}.scores"] = torch.rand(shape)
    data, report = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=5)
    assert len(generated(data)) == 1
    assert not any("stored" in line for line in report.findings)
    assert report.sizes.prototypes + report.sizes.rest < 600
    assert_equal(pemncodec.load(data), effective(state, 0.5))


def test_values_that_no_mask_keeps_need_no_patch() -> None:
    state = hidden_networks_fc(11)
    mask = pemncodec.load(pemncodec.save(state, keep=0.5, ties="stable"))["fc1.weight"] != 0
    noise = torch.randn(mask.shape)
    state["fc1.weight"] = torch.where(mask, state["fc1.weight"], noise)
    data = pemncodec.save(state, keep=0.5, ties="stable", torch_seed=11)
    assert [len(row.patches) for row in generated(data)] == [0, 0, 0]
    # also where they are zero: saved multiplied by the mask
    dense = pemncodec.load(data)
    data = pemncodec.save(dense, torch_seed=11)
    assert [len(row.patches) for row in generated(data)] == [0, 0, 0]
    assert_equal(pemncodec.load(data), dense)


def test_some_other_values_are_patches() -> None:
    state = hidden_networks_fc(11)
    mask = pemncodec.load(pemncodec.save(state, keep=0.5, ties="stable"))["fc1.weight"] != 0
    flat = state["fc1.weight"].view(-1)
    changed = mask.view(-1).nonzero()[:20, 0]
    flat[changed] += 1
    data = pemncodec.save(state, keep=0.5, ties="stable", torch_seed=11)
    assert sum(len(row.patches) for row in generated(data)) == 20
    assert_equal(pemncodec.load(data), pemncodec.load(pemncodec.save(state, keep=0.5, ties="stable")))


@pytest.mark.parametrize(("share", "most"), [(0.015, 37_000), (0.3, 90_000)])
def test_another_librarys_last_places_are_steps(share: float, most: int) -> None:
    state = last_places(hidden_networks_fc(11), share)
    data, report = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=11)
    assert data[9] == 5
    assert len(data) < most
    assert any("made 3 of 3 vectors (normal)" in line and "elements patched" in line for line in report.findings)
    rows = generated(data)
    assert 0.9 * share < sum(len(row.patches) for row in rows) / (266_200 * 0.5) < 1.1 * share
    assert {word for row in rows for word in row.patches.words} == {1}
    assert_equal(pemncodec.load(data), pemncodec.load(pemncodec.save(state, keep=0.5, ties="stable")))
    assert_same(data)
    assert pemncodec.save(pemncodec.load_network(data)) == data


def test_patches_have_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest has at most 2^24 bytes: what does not fit is stored as values."""
    state = last_places(hidden_networks_fc(11), 0.015)
    monkeypatch.setattr(seeding, "_MOST_PATCH_BYTES", 4_500)
    data, report = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=11)
    assert len(generated(data)) == 2
    assert any("values are smaller" in note and "'fc2.weight'" in note for note in report.notes)
    assert_equal(pemncodec.load(data), pemncodec.load(pemncodec.save(state, keep=0.5, ties="stable")))


def test_where_values_are_smaller_they_are_stored() -> None:
    torch.manual_seed(4)
    state = {"a.weight": torch.randn(4, 8), "a.scores": torch.rand(4, 8)}
    data, report = pemncodec.pack(state, keep=0.3, ties="stable", torch_seed=4)
    assert generated(data) == []
    assert any("values are smaller than torch.manual_seed(4)" in note for note in report.notes)


def test_every_layer_is_named_with_its_place() -> None:
    state = hidden_networks_fc(11)
    _, report = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=11)
    lines = [line for line in report.findings if ": normal from draw " in line]
    for name, offset, scale in (("fc1", 470_400, 784), ("fc2", 765_600, 300), ("fc3", 797_600, 100)):
        start = f"{name}.weight: normal from draw {offset:,} on, scale {torch.tensor(math.sqrt(2 / scale)).item():.9g}"
        assert any(line.startswith(start) and ", as on " in line for line in lines)
    _, report = pemncodec.pack(hidden_networks_fc(11, "default"), keep=0.5, ties="stable", torch_seed=11)
    assert any(
        line.startswith("fc1.weight: uniform from draw 0 on, -0.0357142873 … 0.0357142873") for line in report.findings
    )


def test_every_layer_that_was_not_made_is_named() -> None:
    torch.manual_seed(0)
    state = {}
    for number in range(9):
        state[f"{number}.weight"], state[f"{number}.scores"] = torch.randn(40 + number, 30), torch.rand(40 + number, 30)
    _, report = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=1)
    (note,) = [note for note in report.notes if "did not make 9 of 9 vectors" in note]
    assert all(f"'{number}.weight'" in note for number in range(9))


def test_the_beginning_of_a_longer_tensor_is_found_by_its_seed() -> None:
    """Random-vector padding: the end of a tensor of d elements would have been drawn again."""
    torch.manual_seed(17)
    vector = torch.empty(64, 64).normal_(0, 0.05).flatten()[:419]
    state = {}
    for number, size in enumerate((300, 1000, 4096)):
        state[f"{number}.weight"] = vector.repeat(10)[:size].clone()
        state[f"{number}.scores"] = torch.rand(size)
    data, _ = pemncodec.pack(state, keep=0.9, ties="stable", find_seed=30)
    (row,) = generated(data)
    assert row.seed == 17
    assert len(row.patches) <= 16
    assert_equal(pemncodec.load(data), effective(state, 0.9))


def test_a_wrong_seed_is_told_and_the_file_stays_exact() -> None:
    state = hidden_networks_fc(11)
    plain = pemncodec.save(state, keep=0.5, ties="stable")
    data, report = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=12)
    assert data == plain
    assert any("torch.manual_seed(12) did not make 3 of 3 vectors: 'fc1.weight'" in note for note in report.notes)


def test_a_layer_that_was_trained_is_stored_as_before() -> None:
    state = hidden_networks_fc(11)
    state["fc2.weight"] += 0.01 * torch.randn(state["fc2.weight"].shape)
    data, report = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=11)
    assert len(generated(data)) == 2
    assert any("did not make 1 of 3 vectors: 'fc2.weight'" in note for note in report.notes)
    assert_equal(pemncodec.load(data), pemncodec.load(pemncodec.save(state, keep=0.5, ties="stable")))


def test_the_seed_is_found() -> None:
    state = hidden_networks_fc(11)
    seen: list[str] = []

    def progress(done: int, total: int, name: str, /) -> None:
        assert 0 <= done <= total
        seen.append(name)

    data, report = pemncodec.pack(state, keep=0.5, ties="stable", find_seed=20, progress=progress)
    assert len(generated(data)) == 3
    assert "torch.manual_seed(11) made 3 of 3 vectors (normal)" in report.findings
    assert "seed 11" in seen
    none, report = pemncodec.pack(state, keep=0.5, ties="stable", find_seed=5)
    assert generated(none) == []
    assert any("none of the seeds 0 … 4, nor a common one, made these weights within" in note for note in report.notes)


def test_tasks_over_one_seed(tmp_path: Path) -> None:
    states = {}
    for number in range(3):
        states[f"t{number}"] = hidden_networks_fc(11)
        for name in states[f"t{number}"]:
            if name.endswith("scores"):
                states[f"t{number}"][name] = torch.rand(states[f"t{number}"][name].shape)
    path = tmp_path / "tasks.pemn"
    pemncodec.save_tasks(states, path, keep=0.5, ties="stable", torch_seed=11)
    assert path.stat().st_size < 3 * 266_200 / 8 * 1.01
    before = path.stat().st_size
    states["t3"] = {**states["t0"], "fc1.scores": torch.rand(300, 784)}
    pemncodec.save_tasks({"t3": states["t3"]}, path, add_to=path, keep=0.5, ties="stable")
    assert path.stat().st_size < before + 235_200 / 8 + 600  # the seed is that of the other tasks
    for name, state in states.items():
        expected = pemncodec.load(pemncodec.save(state, keep=0.5, ties="stable"))
        assert_equal(pemncodec.load_file(path, task=name), expected)


def test_a_delta_takes_the_seed_of_its_base(tmp_path: Path) -> None:
    state = hidden_networks_fc(11)
    base = tmp_path / "base.pemn"
    pemncodec.save_file(state, base, keep=0.5, ties="stable", torch_seed=11)
    state["fc1.scores"] = torch.where(torch.rand(300, 784) < 0.99, state["fc1.scores"], torch.rand(300, 784))
    data, report = pemncodec.pack(state, keep=0.5, ties="stable", base=base)
    assert "torch.manual_seed(11) made 3 of 3 vectors (normal)" in report.findings
    assert len(data) < base.stat().st_size / 2
    assert_equal(pemncodec.load(data, base=base), pemncodec.load(pemncodec.save(state, keep=0.5, ties="stable")))


def test_far_from_the_seed() -> None:
    """Behind what is no masked layer: an embedding, and whatever else was drawn."""
    torch.manual_seed(42)
    state = {"emb.weight": torch.nn.Embedding(30_000, 128).weight.detach()}
    torch.rand(1_000_000)
    state["fc.weight"] = torch.nn.Linear(128, 128).weight.detach()
    state["fc.scores"] = torch.rand(128, 128)
    data, report = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=42)
    assert len(generated(data)) == 1, report.notes


def test_draws_that_were_divided() -> None:
    """`randn / sqrt(n)` rounds otherwise than a product: nearly every second element is a last place off."""
    for size in (50, 200, 300):
        torch.manual_seed(7)
        state = {"w.weight": torch.randn(size, size) / math.sqrt(size), "w.scores": torch.rand(size, size)}
        data, _ = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=7)
        assert len(generated(data)) == 1
        assert_equal(pemncodec.load(data), effective(state, 0.5))


def test_seeds_of_other_types() -> None:
    state = hidden_networks_fc(11)
    by_numpy, _ = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=np.int64(11))  # type: ignore[arg-type]
    assert len(generated(by_numpy)) == 3
    found, _ = pemncodec.pack(state, keep=0.5, ties="stable", find_seed=True)
    assert found == by_numpy
    with pytest.raises(errors.SeedError, match="seed True is not one"):
        pemncodec.save(state, keep=0.5, ties="stable", torch_seed=True)


def test_usual_seeds_are_tried_whatever_the_number() -> None:
    data, _ = pemncodec.pack(hidden_networks_fc(3407), keep=0.5, ties="stable", find_seed=2)
    assert len(generated(data)) == 3


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"a": torch.randn(40)}, "no masked layer has values that a seed"),
        ({"a.weight": torch.randn(5, 8).half(), "a.scores": torch.rand(5, 8)}, "no masked layer has float32 values"),
        ({"a.weight": torch.randn(2, 7), "a.scores": torch.rand(2, 7)}, "so many different float32 values"),
    ],
)
def test_why_nothing_is_looked_for(state: State, reason: str) -> None:
    _, report = pemncodec.pack(state, keep=0.5 if len(state) > 1 else None, torch_seed=1)
    assert any(reason in note for note in report.notes), report.notes


def test_what_rounds_alike_everywhere_has_no_machine() -> None:
    torch.manual_seed(3)
    state = {"a.weight": torch.rand(100, 100), "a.scores": torch.rand(100, 100)}
    _, report = pemncodec.pack(state, keep=0.5, ties="stable", torch_seed=3)
    assert "a.weight: uniform from draw 0 on, 0 … 1" in report.findings


def test_the_command(tmp_path: Path) -> None:
    torch.save(hidden_networks_fc(11), tmp_path / "fc.pt")
    common = ["pack", "fc.pt", "--keep", "0.5", "--ties", "stable", "--force"]
    out = pemn(*common, "--torch-seed", "11", cwd=tmp_path)
    assert out.returncode == 0, out.stderr
    assert "found: torch.manual_seed(11) made 3 of 3 vectors (normal)" in out.stdout
    assert '"kind": "pytorch"' in pemn("inspect", "--json", "fc.pemn", cwd=tmp_path).stdout
    assert "torch.manual_seed(11)" in pemn("inspect", "fc.pemn", cwd=tmp_path).stdout
    assert pemn("verify", "fc.pemn", "--against", "fc.pt", cwd=tmp_path).returncode == 0
    out = pemn(*common, "--find-seed", "15", cwd=tmp_path)
    assert "torch.manual_seed(11) made 3 of 3" in out.stdout, out.stderr
    for order in (["pack", "--find-seed", "fc.pt"], ["pack", "fc.pt", "--find-seed"]):
        out = pemn(*order, "--keep", "0.5", "--ties", "stable", "--force", cwd=tmp_path)
        assert "torch.manual_seed(11) made 3 of 3" in out.stdout, out.stderr
    assert "as on " in pemn("inspect", "fc.pemn", cwd=tmp_path).stdout
    fails(
        pemn(*common, "--torch-seed", "1", "--find-seed", cwd=tmp_path), "the seed was given, so there is none to find"
    )
    fails(pemn(*common, "--torch-seed", str(1 << 65), cwd=tmp_path), "is not one that torch.manual_seed takes")


def test_how_many_seeds_cannot_be_tried() -> None:
    for bad in (-3, 1 << 33):
        with pytest.raises(errors.SeedError, match="seeds cannot be tried"):
            pemncodec.save(hidden_networks_fc(1), keep=0.5, ties="stable", find_seed=bad)


@pytest.mark.parametrize("bad", [1.5, "eleven", 1 << 64])
def test_what_no_seed_is(bad: object) -> None:
    with pytest.raises(errors.SeedError, match=r"is not one that torch\.manual_seed takes"):
        pemncodec.save(hidden_networks_fc(1), keep=0.5, ties="stable", torch_seed=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "seed", "keep", "most"), [("hn_fc_sc_k03", 11, 0.3, 30_200), ("pemn_onelayer", 7, 0.5, 11_500)]
)
def test_samples(name: str, seed: int, keep: float, most: int) -> None:
    path = SAMPLES / f"{name}.pt"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this repository: its seed is not looked for")
    state = pemncodec.load_checkpoint(path)
    data, report = pemncodec.pack(state, keep=keep, torch_seed=seed)
    assert len(data) <= most
    assert report.sizes.prototypes + report.sizes.kept == 0
    assert_equal(pemncodec.load(data), pemncodec.load(pemncodec.save(state, keep=keep)))
