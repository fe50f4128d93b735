"""The experiments at their smallest: rows, resuming, counting, pictures."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from experiments import augmenting, choosing, counting, data, pruning, quantizing, tables, training
from experiments.command import Run
from experiments.rows import frontier
from experiments.settings import Architecture, Recipe, Setting
from torch import nn
from torch.nn.utils import prune

import pemncodec
from pemncodec.nn import MaskedFill, mask_network

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PNG = b"\x89PNG\r\n\x1a\n"


def run(script: str, folder: Path, *arguments: str) -> tuple[list[dict[str, object]], str]:
    """The rows and the output of an experiment."""
    rows = folder / f"{script}.jsonl"
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "smoke", "--seeds", "1", "--rows", str(rows)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in rows.read_text().splitlines()], done.stdout


def test_representation(tmp_path: Path) -> None:
    rows, output = run("representation", tmp_path, "--limit", "3")
    assert [row["setting"] for row in sorted(rows, key=lambda row: str(row["setting"]))] == [
        "dense",
        "full mask, keep 0.5",
        "one-layer, keep 0.5",
    ]
    assert "these are the packaged digits" in output
    first = dict(rows[0])
    rows, _ = run("representation", tmp_path, "--limit", "7")
    assert rows[0] == first, "what has a row is not done again"
    assert len(rows) == 8 + 2
    by = {(row["network"], row["setting"]): row for row in rows}
    mixer = {setting: row for (network, setting), row in by.items() if str(network).startswith("ConvMixer")}
    # the largest layer has 32 × 32 weights
    assert [mixer[f"random-vector 1e-{n}, keep 0.5"]["values"] for n in (1, 2, 3, 4)] == [103, 11, 2, 1]
    assert mixer["max-layer, keep 0.5"]["values"] == 1024
    for row in rows:
        assert row["accuracy"] == row["accuracy_before_packing"], "the file has the network that was trained"
        assert {"preset", "seed", "epochs", "commit", "data"} <= set(row)
    for setting in ("full mask, keep 0.5", "random-vector 1e-2, keep 0.5"):
        assert float(str(mixer[setting]["accuracy"])) > 50, "masks alone learn"
    assert (tmp_path / "representation.png").read_bytes().startswith(PNG)
    assert not list((tmp_path / "representation").glob("*")), "no checkpoint is left behind"


def test_compression(tmp_path: Path) -> None:
    rows, output = run("compression", tmp_path, "--limit", "9")
    by = {(row["network"], row["setting"]): row for row in rows}
    half = by["ResNet-8 width 8", "random-vector 1e-2, keep 0.5, 50% zeros"]
    whole = by["ResNet-8 width 8", "random-vector 1e-2, keep 0.5"]
    assert int(str(half["mask_bytes"])) < 0.52 * int(str(whole["mask_bytes"])), "half a bit a weight"
    pruned = by["ResNet-8 width 8", "magnitude pruning 95%"]
    assert int(str(pruned["pemn_bytes"])) < int(str(pruned["formula_bytes"])) < int(str(pruned["dense_bytes"]))
    for (network, setting), row in by.items():
        assert f"| {network} | {setting} |" in output
        assert row["accuracy"] == row["accuracy_before_packing"]
    assert (tmp_path / "compression.png").read_bytes().startswith(PNG)


NARROW = Architecture("resnet", 4, 8, patch=1)


@pytest.mark.parametrize(
    "setting",
    [
        Setting(NARROW, "masked", "random-vector", 0.1, 0.5, 0.3, True),
        Setting(NARROW, "magnitude", pruned=0.9),
        Setting(NARROW, "masked", "full", keep=0.2, sampler="ternary", layers="erdos-renyi", annealed=True),
    ],
    ids=["masked", "magnitude", "annealed"],
)
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(setting: Setting, tmp_path: Path) -> None:
    images = data.digits()
    images = data.Images("few", images.train[:200], images.train_labels[:200], images.test, images.test_labels, True)
    recipe, epochs = Recipe(epochs=4, batch=50), []

    class Interrupted(Exception):  # noqa: N818 (no error)
        pass

    def say(line: str) -> None:
        epochs.append(line)
        if len(epochs) == 4:  # the fourth epoch is done, and not saved yet
            raise Interrupted

    with pytest.raises(Interrupted):
        training.train(setting, images, recipe, 7, tmp_path / "a.pt", say)
    resumed = training.train(setting, images, recipe, 7, tmp_path / "a.pt", epochs.append)
    assert len(epochs) == 5
    whole = training.train(setting, images, recipe, 7, tmp_path / "b.pt", lambda _: None)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name
    if setting.annealed:
        weights = [module.weight for module in whole.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
        shares = [float((weight != 0).float().mean()) for weight in weights]
        kept = sum(share * weight.numel() for share, weight in zip(shares, weights, strict=True))
        assert abs(kept / sum(weight.numel() for weight in weights) - 0.2) < 0.01
        assert len(set(shares)) > 3, "by shape"


def fills(model: nn.Module) -> list[tuple[MaskedFill, torch.Size]]:
    """Return the fill and the shape of each masked layer."""
    parts = [part for part in model.modules() if isinstance(part, MaskedFill)]
    scores = [parameter.shape for name, parameter in model.named_parameters() if name.endswith("weight.original")]
    return list(zip(parts, scores, strict=True))


def test_the_formula_by_hand() -> None:
    def plain() -> nn.Sequential:
        return nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.Linear(32, 10, bias=False))

    weights, rest = 64 * 32 + 320, 32 + 4 * 32
    assert counting.formula(plain(), plain()) == 4 * (weights + rest)
    masked = mask_network(plain(), strategy="random-vector", ratio=0.1)
    d = int(2048 * 0.1) + 1
    assert counting.prototype_values(masked) == d
    assert counting.formula(masked, plain()) == 4 * (rest + d) + weights // 8
    zeros = mask_network(plain(), strategy="random-vector", ratio=0.5, zeros=0.5, permute=True)
    active = sum(int((part.filled(torch.empty(shape)) != 0).sum()) for part, shape in fills(zeros))
    assert abs(active - weights / 2) < 60
    assert counting.formula(zeros, plain()) == -(-(32 * (rest + 1025 - 512) + active) // 8)
    assert counting.paper(masked, plain()) == 4 * d + weights // 8
    ternary = mask_network(plain(), sampler="ternary", keep=0.25)
    assert counting.paper(ternary, plain()) == 4 * 2 + weights // 8 + weights // 4 // 8
    assert counting.formula(ternary, plain()) == 4 * (rest + 2) + weights // 8 + weights // 4 // 8
    coats = mask_network(plain(), sampler="ternary", keep=0.25, coats=2)
    assert counting.formula(coats, plain()) == 4 * (rest + 2) + weights // 8 + 2 * (weights // 4 // 8)
    assert counting.paper(coats, plain()) == 4 * 2 + weights // 8 + 2 * (weights // 4 // 8)
    pruned = plain()
    prune.l1_unstructured(pruned[0], "weight", 2000)
    prune.l1_unstructured(pruned[2], "weight", 300)
    # indices of 11 bits in 2,048 places, of 9 in 320
    assert counting.paper(pruned, plain()) == 4 * (48 + 20)
    assert counting.paper(plain(), plain()) == 4 * weights
    assert counting.formula(pruned, plain()) == 4 * rest + -(-(48 * (32 + 11) + 20 * (32 + 9)) // 8)


def test_bytes_at_equal_accuracy() -> None:
    """By hand: halfway in accuracy is the geometric mean in bytes; a point below the line is not on it."""

    def row(method: str, size: int, accuracy: float) -> dict[str, object]:
        return {
            "network": "n",
            "setting": f"{method} {size}",
            "method": method,
            "accuracy": accuracy,
            "pemn_bytes": size,
            "formula_bytes": 2 * size,
        }

    rows = [row("masked", 100, 50.0), row("masked", 150, 45.0), row("masked", 300, 90.0)]
    rows += [row("magnitude", 200, 40.0), row("magnitude", 800, 60.0), row("random", 1000, 50.0)]
    assert frontier([(2, 5), (1, 3), (3, 4), (4, 6)]) == [(1, 3), (2, 5), (4, 6)]
    lines = tables.equal_accuracy(rows)
    assert "| 50.0 | 100 | 400 (4.00 ×) | — |" in lines
    assert "| 50.0 | 200 | 800 (4.00 ×) | — |" in lines
    assert "| 90.0 | 300 | — | — |" in lines
    assert not any("45.0" in line for line in lines)


def test_cifar_batches(tmp_path: Path) -> None:
    """The layout that the authors of CIFAR-10 describe: 10,000 rows a batch of red, green and blue planes."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    images = {}
    for number, name in enumerate(["data_batch_1", *(f"data_batch_{n}" for n in range(2, 6)), "test_batch"]):
        pixels = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
        images[name] = pixels
        batch = {b"data": pixels.transpose(0, 3, 1, 2).reshape(3, -1), b"labels": [number, 1, 2], b"batch_label": b""}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "readme.html").write_text("")
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, folder.name)
    for path in (folder, archive):
        loaded = data.load(path)
        assert (loaded.name, loaded.train.shape, loaded.test.shape) == ("cifar10", (15, 3, 32, 32), (3, 3, 32, 32))
        assert loaded.train_labels.tolist() == [n for first in range(5) for n in (first, 1, 2)]
        assert torch.equal(loaded.train[3, 1], torch.from_numpy(images["data_batch_2"][0, :, :, 1].copy()))
    (folder / "test_batch").unlink()
    with pytest.raises(SystemExit, match="test_batch are missing"):
        data.load(folder)
    with pytest.raises(SystemExit, match="there is no such file"):
        data.load(tmp_path / "nothing")
    with pytest.raises(SystemExit, match="expected cifar-10-batches-py"):
        data.load(folder / "readme.html")


def window(image: torch.Tensor, top: int, left: int, flipped: bool) -> torch.Tensor:
    """6 × 6 pixels of an image."""
    part = image[:, top : top + 6, left : left + 6]
    return part.flip(2) if flipped else part


def test_augmented_images_are_shifted_and_flipped() -> None:
    images = torch.arange(1, 2 * 3 * 6 * 6 + 1, dtype=torch.int32).reshape(2, 3, 6, 6)
    batch = images.repeat(20, 1, 1, 1)
    moved = augmenting.augmented(batch, torch.Generator().manual_seed(0))
    padded = nn.functional.pad(batch, (4, 4, 4, 4))
    kinds = set()
    for before, after in zip(padded, moved, strict=True):
        candidates = {
            (top, left, flipped)
            for top in range(9)
            for left in range(9)
            for flipped in (False, True)
            if torch.equal(after, window(before, top, left, flipped))
        }
        assert len(candidates) == 1, "every image is one window, one way round"
        kinds |= candidates
    assert len(kinds) > 20


def test_strong_augmentation() -> None:
    """The same numbers give the same images, a quarter of them has a hole, and operations do what they are called."""
    batch = torch.randint(1, 255, (400, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    changed = augmenting.augmented(batch, torch.Generator().manual_seed(0), strong=True)
    assert (changed.shape, changed.dtype) == (batch.shape, torch.uint8)
    assert torch.equal(changed, augmenting.augmented(batch, torch.Generator().manual_seed(0), strong=True))
    holes = augmenting._erased(batch, torch.Generator().manual_seed(0)) == 0
    share = holes.any(1).flatten(1).float().mean(1)
    assert 0.18 < (share > 0).float().mean() < 0.32
    assert share.max() < 0.4
    ones = torch.ones(2)
    image = torch.arange(2 * 3 * 32 * 32, dtype=torch.float32).reshape(2, 3, 32, 32) % 256
    one = augmenting.OPERATIONS
    assert torch.equal(one["identity"](image, ones), image)
    assert torch.equal(one["translate x"](image, ones / 0.9 * 2 / 32)[..., :-1], image[..., 1:])
    assert torch.equal(one["rotate"](image, ones * 3).rot90(1, (2, 3)), image) or torch.equal(
        one["rotate"](image, ones * 3).rot90(-1, (2, 3)), image
    )
    assert torch.allclose(one["brightness"](image, -ones / 3), image * 0.7, atol=1e-3)
    assert torch.equal(one["posterize"](image, ones), image - image % 2)
    assert torch.equal(one["autocontrast"](image / 2 + 3, ones).amax((2, 3)), torch.full((2, 3), 255.0))


def test_gradual_and_rewound_pruning() -> None:
    """By hand: s (1 − (1 − t)³) at the shares of the way; the rewound network has its early weights, masked."""
    architecture = Architecture("resnet", 4, 8, patch=1)
    gradual = pruning.plan(Setting(architecture, "gradual", pruned=0.9), 8)
    assert gradual.rewind == 0
    assert list(gradual.amounts) == [2, 3, 4, 5]
    assert [round(amount, 4) for amount in gradual.amounts.values()] == [0.5203, 0.7875, 0.8859, 0.9]
    setting = Setting(architecture, "rewound", pruned=0.75)
    assert pruning.plan(setting, 8) == pruning.Plan({4: 0.75}, 4)
    model = training.prepare(setting, data.digits(), 0)
    early = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    weights = [value for name, value in model.named_parameters() if name.endswith("_orig")]
    with torch.no_grad():
        for number, weight in enumerate(weights):
            weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(number)))
    magnitudes = torch.cat([weight.detach().abs().flatten() for weight in weights]).sort().values
    cut = magnitudes[round(0.75 * len(magnitudes)) - 1]
    masks = [(weight.detach().abs() > cut).float() for weight in weights]
    pruning.by_magnitude(model, 0.75)
    pruning.rewind(model, early)
    found = [buffer for name, buffer in model.named_buffers() if name.endswith("_mask")]
    assert all(torch.equal(one, other) for one, other in zip(found, masks, strict=True))
    assert all(torch.equal(model.state_dict()[name], early[name]) for name in early if not name.endswith("_mask"))


@pytest.mark.parametrize("bits", [4, 8])
def test_quantized_files_give_back_the_rounded_network(bits: int) -> None:
    images = data.digits()
    setting = Setting(Architecture("resnet", 4, 8, patch=1), "magnitude", pruned=0.5)
    model = training.prepare(setting, images, 0)
    pruning.by_magnitude(model, 0.5)
    network = setting.architecture.build(images)
    network.load_state_dict(pemncodec.load(pemncodec.save(model)))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for name in ("weight", "bias", "running_mean", "running_var"):
                nn.init.uniform_(getattr(module, name), 0.5, 1.5)
    scales = quantizing.round_weights(network.eval(), bits)
    assert all(int(w.unique().numel()) <= (1 << bits) - 1 for w in network.get_parameter("3.conv1.weight"))
    batch = next(training.batches(images, 1, 16))
    with torch.no_grad():
        expected = network(batch)
        for fold in (False, True):
            codes = quantizing.codes(network, scales, bits, fold=fold)
            assert fold == ("3.conv1.weight_scale" not in codes.rest)
            decoded = pemncodec.load(pemncodec.save(codes.pruned(), fold_batchnorm=fold))
            again = setting.architecture.build(images).eval()
            again.load_state_dict(quantizing.values(decoded, again))
            assert torch.allclose(again(batch), expected, rtol=1e-3, atol=1e-3)


def test_choosing_by_hand() -> None:
    """The smallest masked file in the inference profile that is as accurate, and differences seed by seed."""

    def row(seed: int, setting: Setting, **files: tuple[int, float]) -> dict[str, object]:
        run = Run("compression", "medium", setting, seed, Recipe(10)).identity("digits")
        found = {
            name.replace("_", " "): {"bytes": size, "accuracy": a, "coder": "pemn"} for name, (size, a) in files.items()
        }
        lossless = found.get("lossless", {})
        row = {
            "accuracy": lossless.get("accuracy"),
            "pemn_bytes": lossless.get("bytes"),
            "paper_bytes": 7,
            "commit": "c",
        }
        return {**run, **row, "files": found}

    narrow, wide = (Architecture("resnet", width, 8, patch=1) for width in (4, 8))
    paper = [Setting(network, "masked", "random-vector", 0.01, 0.5) for network in (narrow, wide)]
    signs = Setting(narrow, "masked", "full", 0.01, 0.5, init="signed-constant")
    rows = [
        row(0, paper[0], lossless=(200, 40.0), inference=(150, 40.0)),
        row(1, paper[0], lossless=(200, 44.0), inference=(150, 44.0)),
        row(0, paper[1], lossless=(800, 62.0), inference=(700, 62.0)),
        row(0, signs, lossless=(210, 51.0), inference=(160, 51.0)),
        row(1, signs, lossless=(210, 53.0), inference=(160, 53.0)),
    ]
    lines = choosing.against(rows)
    assert any("lossless | 200 | 42.0 (40.0 to 44.0) |" in line and "| 150 (0.75 ×) |" in line for line in lines)
    assert any("lossless | 800 | 62.0 (62.0 to 62.0) |" in line and "| 700 (0.88 ×) |" in line for line in lines)
    assert [(each.size, each.accuracy) for each in choosing.frontier(choosing.points(rows))] == [
        (150, 42.0),
        (160, 52.0),
        (700, 62.0),
    ]
    assert "| 2 | 200 | 210 | +10.0 (+11.0, +9.0) |" in choosing.equal_bytes(rows)[2]
    assert any("| 2 | 200 | 42.0 (40.0 to 44.0) | 150 |" in line for line in choosing.table(rows))


def test_questions_after_training() -> None:
    command = [sys.executable, str(BENCHMARKS / "after_training.py"), "--epochs", "1", "--width", "4", "--seeds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["question"] for row in rows] == ["Bernoulli", "int8", *["keep"] * 7]
    assert all({"seed", "epochs", "commit", "command"} <= set(row) for row in rows)
    lowered = [row["bytes"] for row in rows if row.get("way") == "lowered"]
    assert lowered == sorted(lowered, reverse=True)
    trained = {row["keep"]: row["bytes"] for row in rows if row.get("way") == "trained"}
    assert all(abs(trained[row["keep"]] - row["bytes"]) < 60 for row in rows[3:] if row["keep"] in trained)
