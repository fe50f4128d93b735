"""Recognising checkpoints: mask rules, layouts, and one clear error for each wrong input."""

from __future__ import annotations

import argparse
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.utils import prune

import pemncodec
from pemncodec import errors
from pemncodec.checkpoints.masks import rules as mask_rules

from .. import published

# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep", "n", "dropped"), [(0.9, 10, 0), (0.8, 25, 4), (0.5, 7, 3), (0.3, 1000, 700)])
def test_number_of_dropped_weights_is_that_of_python_floats(keep: float, n: int, dropped: int) -> None:
    scores = torch.rand(n, generator=torch.Generator().manual_seed(0))
    assert mask_rules.edge_popup(scores, keep, "s").mask.count == n - dropped


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8])
@pytest.mark.parametrize("keep", [0.1, 0.37, 0.5, 1.0])
def test_edge_popup_is_the_stable_sort(dtype: torch.dtype, keep: float) -> None:
    scores = (torch.randn(50, 40, generator=torch.Generator().manual_seed(0)) * 20).to(dtype)
    derived = mask_rules.edge_popup(scores, keep, "s")
    expected = published.top_k_mask(scores.to(torch.float64), keep).flatten() == 1
    assert derived.mask.to_bool().tolist() == expected.tolist()


def test_a_tie_at_the_cut_is_an_error_unless_it_is_allowed() -> None:
    state = {"weight": torch.rand(4, 4) + 1, "scores": torch.full((4, 4), 2.0)}
    tie = r"equal scores straddle the cut in 1 layers \(first: 'weight', 16 of them\)"
    with pytest.raises(errors.MaskRuleError, match=tie + ".*--ties stable"):
        pemncodec.pack(state, keep=0.5)
    data, report = pemncodec.pack(state, keep=0.5, ties="stable")
    assert any(re.match(tie, note) for note in report.notes)
    # a stable sort drops the first of equal scores
    assert torch.equal(pemncodec.load(data)["weight"].flatten() != 0, torch.arange(16) >= 8)
    state["scores"] = torch.tensor([0.0] * 8 + [2.0] * 8).reshape(4, 4)  # equal scores, but none at the cut
    assert pemncodec.pack(state, keep=0.5)[1].notes == []
    state = {"weight": torch.zeros(4, 4), "scores": torch.full((4, 4), 2.0)}  # whichever is kept is zero
    assert pemncodec.pack(state, keep=0.5)[1].notes == []


# --- layouts ----------------------------------------------------------------------------------------------------------


def pruned_network() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 4))
    prune.l1_unstructured(model[0], "weight", 0.9)
    prune.random_unstructured(model[2], "weight", 0.5)
    prune.l1_unstructured(model[2], "bias", 3)
    return model


def test_torch_prune_is_the_product_with_plus_zero() -> None:
    model = pruned_network()
    data, report = pemncodec.pack({"model_state_dict": model.state_dict(), "epoch": 1})
    assert (report.family, report.mask_rule) == ("torch.nn.utils.prune", "explicit")
    assert report.notes == []
    assert "keep 0.3 was not used" in pemncodec.pack(model, keep=0.3)[1].notes[0]
    loaded = pemncodec.load(data)
    for module, name in ((model[0], "weight"), (model[2], "weight"), (model[2], "bias")):
        prune.remove(module, name)
    expected = model.state_dict()
    assert set(loaded) == set(expected)
    for name, tensor in expected.items():
        assert torch.equal(loaded[name], tensor)
        assert not torch.signbit(loaded[name][loaded[name] == 0]).any()
    stock = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 4))
    stock.load_state_dict(loaded, strict=True)


def test_masked_layout_of_pruned_tensors_names_scores_apart() -> None:
    loaded = pemncodec.load(pemncodec.save(pruned_network()), layout="masked")
    assert {"2.weight", "2.scores", "2.bias", "2.bias_scores"} <= set(loaded)
    assert loaded["2.bias_scores"].tolist() == (loaded["2.bias"] != 0).float().tolist()


def test_dense_weights_with_zeros_are_pruned_layers() -> None:
    torch.manual_seed(0)
    weight = torch.randn(100, 100)
    weight *= torch.rand(100, 100) < 0.1  # leaves -0.0 behind
    few = torch.randn(100, 100)
    few[0, 0] = -0.0
    state = {"pruned": weight, "few zeros": few, "bias": torch.tensor([0.0, -0.0] * 50)}
    data, report = pemncodec.pack(state)
    loaded = pemncodec.load(data)
    assert torch.equal(loaded["pruned"], weight)
    assert not torch.signbit(loaded["pruned"][loaded["pruned"] == 0]).any()
    published.assert_equal({k: loaded[k] for k in ("few zeros", "bias")}, {k: state[k] for k in ("few zeros", "bias")})
    assert report.layers == 1
    assert any("lose their minus sign" in note for note in report.notes)


def test_a_state_dict_without_masks_is_stored_as_it_is() -> None:
    report = pemncodec.pack(nn.Linear(5, 5))[1]
    assert report.mask_rule == "none"
    assert "no tensor has a mask" in report.notes[0]


def test_safetensors_and_torch_files_give_the_same(tmp_path: Path) -> None:
    state = published.checkpoint("random-vector-copy")
    torch.save(state, tmp_path / "a.pt")
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    safetensors.torch.save_file(state, tmp_path / "a.bin")  # the content decides, not the name
    expected = published.effective(state, 0.5)
    for name in ("a.pt", "old.pt", "a.bin"):
        loaded = pemncodec.load(pemncodec.save(pemncodec.load_checkpoint(tmp_path / name), keep=0.5))
        assert set(loaded) == set(expected)
        assert all(published.bits(loaded[key]) == published.bits(expected[key]) for key in expected)


# --- what cannot be packed --------------------------------------------------------------------------------------------


def wrong_sources() -> list[tuple[str, Any, float | None, type[errors.PemnError], str]]:
    weight, scores = torch.rand(4, 5), torch.rand(4, 5)
    pair = {"l.weight": weight, "l.scores": scores}
    model = pruned_network().state_dict()
    with warnings.catch_warnings():  # deprecated, but in old checkpoints
        warnings.simplefilter("ignore")
        quantized = torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8)
    return [
        ("no keep", pair, None, errors.MaskRuleError, "use --keep (0.5 in PEMN's code"),
        ("keep 0", pair, 0.0, errors.MaskRuleError, "keep is 0.0, and must be above 0"),
        ("keep above 1", pair, 1.01, errors.MaskRuleError, "keep is 1.01"),
        ("keep NaN", pair, float("nan"), errors.MaskRuleError, "keep is nan"),
        ("NaN scores", pair | {"l.scores": scores / 0 * 0}, 0.5, errors.MaskRuleError, "contain NaN"),
        (
            "no weight",
            {"l.scores": scores},
            0.5,
            errors.MaskRuleError,
            "no weight has scores (X.scores beside X.weight)",
        ),
        ("shape", pair | {"l.scores": torch.rand(5, 4)}, 0.5, errors.UnknownLayoutError, "has the shape (5, 4)"),
        ("complex scores", pair | {"l.scores": scores + 0j}, 0.5, errors.MaskRuleError, "which has no order"),
        ("prune shape", model | {"0.weight_mask": torch.ones(3)}, None, errors.UnknownLayoutError, "must be equal"),
        (
            "prune values",
            model | {"2.bias_mask": torch.full((4,), 0.5)},
            None,
            errors.UnknownLayoutError,
            "values other than 0 and 1",
        ),
        (
            "prune both",
            model | {"2.bias": torch.rand(4)},
            None,
            errors.UnknownLayoutError,
            "appears both masked and unmasked",
        ),
        ("nothing", {}, None, errors.UnknownLayoutError, "the checkpoint has no state_dict: it holds nothing"),
        ("no tensors", {"epoch": 3, "args": {}}, None, errors.UnknownLayoutError, "it holds 'epoch', 'args'"),
        (
            "two networks",
            {"model": pair, "state_dict": pair},
            0.5,
            errors.UnknownLayoutError,
            "tensors under 'model', 'state_dict': choose the network",
        ),
        ("a list", [weight], None, errors.UnknownLayoutError, "this is a list"),
        ("a tuple", {(1, 2): weight}, None, errors.UnknownLayoutError, "the key '(1, 2)', which is not a string"),
        ("quantized", {"w": quantized}, None, errors.UnsupportedTensorError, "dtype torch.qint8"),
        ("sparse", {"w": weight.to_sparse()}, None, errors.UnsupportedTensorError, "make it dense"),
        ("meta", {"w": torch.empty(3, device="meta")}, None, errors.UnsupportedTensorError, "meta device"),
        ("long name", {"w" * 1025: weight}, None, errors.NetworkError, "is not a valid name"),
        ("surrogate", {"w\ud800": weight}, None, errors.NetworkError, "a lone surrogate"),
        ("empty name", {"": weight}, None, errors.NetworkError, "is not a valid name"),
        ("33 dimensions", {"w": torch.rand((1,) * 33)}, None, errors.NetworkError, "33 dimensions"),
    ]


@pytest.mark.parametrize("case", range(len(wrong_sources())))
def test_wrong_sources(case: int) -> None:
    label, source, keep, error, phrase = wrong_sources()[case]
    with pytest.raises(error) as caught:
        pemncodec.save(source, keep=keep)
    assert phrase in str(caught.value), label


def test_wrong_files(tmp_path: Path) -> None:
    whole = tmp_path / "whole.pt"
    torch.save(published.checkpoint("full"), whole)
    raw = whole.read_bytes()
    legacy = tmp_path / "legacy.pt"
    torch.save(published.checkpoint("full"), legacy, _use_new_zipfile_serialization=False)
    packed = pemncodec.save({"w": torch.rand(3)})
    tensors = safetensors.torch.save({"w": torch.rand(300)})
    unreadable = errors.UnreadableCheckpointError
    cases: list[tuple[str, bytes, type[errors.PemnError], str]] = [
        ("lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 99\n", unreadable, "Git LFS pointer"),
        ("html", b"<!DOCTYPE html><html><body>404</body></html>", unreadable, "web page"),
        ("html2", b"\n  <html lang='en'>", unreadable, "web page"),
        ("empty", b"", unreadable, "is empty"),
        ("text", b"hello world", unreadable, "neither a torch.save file nor safetensors"),
        ("pemn", packed, unreadable, "is already a .pemn file: use 'pemn unpack'"),
        ("short safetensors", tensors[:-5], unreadable, "damaged safetensors"),
        ("broken zip", b"PK\x03\x04" + b"\0" * 100, unreadable, "damaged or incomplete"),
        ("short legacy", legacy.read_bytes()[:-1000], unreadable, "damaged"),
    ]
    cases += [(f"cut {n}", raw[:n], unreadable, "damaged or incomplete") for n in range(5, len(raw), len(raw) // 40)]
    for label, content, error, phrase in cases:
        path = tmp_path / "case.pt"
        path.write_bytes(content)
        with pytest.raises(error) as caught:
            pemncodec.load_checkpoint(path)
        assert phrase in str(caught.value), (label, str(caught.value))
    with pytest.raises(unreadable, match="does not exist"):
        pemncodec.load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(errors.UnknownLayoutError, match="not a folder of a known family"):
        pemncodec.save(pemncodec.load_checkpoint(tmp_path))


class Trap:
    """Runs code when it is unpickled."""

    ran = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (_spring, ())


def _spring() -> None:
    Trap.ran = True


@pytest.mark.parametrize("new_format", [True, False])
def test_nothing_is_unpickled_unless_allowed(tmp_path: Path, new_format: bool) -> None:
    path = tmp_path / "a.pt"
    weights = {"w": torch.rand(3)}
    torch.save(
        {"args": argparse.Namespace(lr=1), "state_dict": weights}, path, _use_new_zipfile_serialization=new_format
    )
    with pytest.raises(errors.UnsafeCheckpointError, match=r"argparse\.Namespace object"):
        pemncodec.load_checkpoint(path)
    loaded = pemncodec.load(pemncodec.save(pemncodec.load_checkpoint(path, unsafe=True)))
    published.assert_equal(loaded, weights)
    torch.save({"state_dict": weights, "x": Trap()}, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(errors.UnsafeCheckpointError, match="run code"):
        pemncodec.load_checkpoint(path)
    assert not Trap.ran


# --- what stands beside the network ---------------------------------------------------------------------------------


def training_checkpoint() -> dict[str, Any]:
    """As PyTorch's tutorial writes it, with a loss that is a tensor."""
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.rand(2, 4)).sum().backward()
    optimizer.step()
    return {
        "epoch": torch.tensor(5),
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "loss": torch.tensor(0.3),
    }


def test_tensors_beside_the_state_dict_do_not_hide_it() -> None:
    source = training_checkpoint()
    data, report = pemncodec.pack(source)
    published.assert_equal(pemncodec.load(data), source["model_state_dict"])
    assert report.dropped == ["epoch", "optimizer_state_dict", "loss"]


def test_another_wrapper_must_be_named() -> None:
    source = {"net": {"w": torch.rand(3)}, "rng": torch.get_rng_state()}
    with pytest.raises(errors.UnknownLayoutError, match="tensors under 'net': choose the network"):
        pemncodec.save(source)
    published.assert_equal(pemncodec.load(pemncodec.save(source, key="net")), source["net"])  # type: ignore[arg-type]
    with pytest.raises(errors.UnknownLayoutError, match="no state_dict under 'rng': there is one under: 'net'"):
        pemncodec.save(source, key="rng")


def test_a_second_network_is_not_left_out_silently() -> None:
    source = {"state_dict": {"w": torch.rand(3)}, "ema": {"w": torch.rand(3)}}
    report = pemncodec.pack(source)[1]
    assert any("tensors under 'ema' are left out" in note for note in report.notes)


def test_scores_of_an_unknown_layout_are_not_passed_over() -> None:
    source = {"l.weight": torch.rand(4, 4), "l.score_map": torch.rand(4, 4)}
    assert any("'l.score_map' looks like scores" in note for note in pemncodec.pack(source)[1].notes)
    with pytest.raises(errors.MaskRuleError, match=r"keep was given, but no weight has scores .* 'l\.score_map'"):
        pemncodec.save(source, keep=0.5)


def test_our_own_masked_layout_of_any_tensor_is_read_again() -> None:
    masked = pemncodec.load(pemncodec.save(pruned_network()), layout="masked")
    again = pemncodec.load(pemncodec.save({k: v for k, v in masked.items() if not k.startswith("0.")}))
    assert list(again) == [
        name for name in pemncodec.load(pemncodec.save(pruned_network())) if not name.startswith("0.")
    ]


def test_archives_that_are_no_checkpoints(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(
        errors.UnreadableCheckpointError, match=r"is an archive \('readme\.txt', …\) from neither torch"
    ):
        pemncodec.load_checkpoint(tmp_path / "texts.zip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(tmp_path / "program.pt"))
    with pytest.raises(errors.UnreadableCheckpointError, match="is a TorchScript program: save the state_dict"):
        pemncodec.load_checkpoint(tmp_path / "program.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"a": Path("x")}))
    with pytest.raises(errors.CheckpointError, match=r"plain\.pt (holds a pathlib\.\w+|is a pickle, but none)"):
        pemncodec.load_checkpoint(tmp_path / "plain.pt")
