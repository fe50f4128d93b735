"""Real checkpoints of other projects, where they lie beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import pemncodec
from pemncodec.cli.main import cli

from .. import published
from ..networks import assert_same

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
CASES = {
    "pemn_rp1e-2_copy": (0.5, "random-vector padding: 41 values, tiled over 10 layers"),
    "pemn_onelayer": (0.5, "one-layer: 8 layers share 2 sets of values, 2 have their own"),
    "hn_fc_sc_k03": (0.3, "signed constant: two values a layer"),
    "torchprune_l1_90": (None, "full: every layer has its own values (5 layers)"),
}

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the sample checkpoints are not beside this repository: see tests/published.py instead"
)


def load(name: str) -> published.StateDict:
    loaded = torch.load(SAMPLES / f"{name}.pt", weights_only=True)
    return loaded.get("state_dict", loaded.get("model_state_dict", loaded))  # type: ignore[no-any-return]


def expected(name: str, keep: float | None) -> published.StateDict:
    state = load(name)
    if keep is not None:
        return published.effective(state, keep)
    out: published.StateDict = {}
    for key, tensor in state.items():
        if key.endswith("_orig"):
            mask = state[key[: -len("_orig")] + "_mask"]
            out[key[: -len("_orig")]] = torch.where(mask == 1, tensor, 0.0)
        elif not key.endswith("_mask"):
            out[key] = tensor
    return out


@pytest.mark.parametrize("name", list(CASES))
def test_pack_unpack_compare(name: str) -> None:
    keep, finding = CASES[name]
    source = pemncodec.load_checkpoint(SAMPLES / f"{name}.pt")
    data, report = pemncodec.pack(source, keep=keep)
    assert report.findings[0] == finding
    published.assert_equal(pemncodec.load(data), expected(name, keep))
    assert_same(data)
    assert pemncodec.save(pemncodec.load_network(data)) == data


@pytest.mark.parametrize("name", list(CASES))
def test_by_the_command(name: str, tmp_path: Path) -> None:
    keep, _ = CASES[name]
    options = [] if keep is None else ["--keep", str(keep)]
    sample, packed = SAMPLES / f"{name}.pt", tmp_path / "a.pemn"
    run = CliRunner()
    assert run.invoke(cli, ["pack", str(sample), str(packed), *options], catch_exceptions=False).exit_code == 0
    for output in ("a.pt", "a.safetensors"):
        run.invoke(cli, ["unpack", str(packed), str(tmp_path / output)], catch_exceptions=False)
        loaded = pemncodec.load_checkpoint(tmp_path / output)
        wanted = expected(name, keep)
        assert {key: published.bits(value) for key, value in loaded.items()} == {
            key: published.bits(value) for key, value in wanted.items()
        }
    verified = run.invoke(cli, ["verify", str(packed), "--against", str(sample), *options], catch_exceptions=False)
    assert "is the same, bit for bit" in verified.output
