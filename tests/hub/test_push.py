"""`push_to_hub` and `from_pretrained` by huggingface_hub itself, against a server on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .server import running

pytest.importorskip("huggingface_hub", reason="the extra `hub` is not installed")

_PUSH = """
import sys, torch
from tests.hub.test_mixin import Net, bits, pruned
torch.manual_seed(0)
model, x = pruned(Net()), torch.randn(2, 32)
print(model.push_to_hub("me/net"))
torch.save((x, model(x)), sys.argv[1])
print(bits(Net.from_pretrained("me/net")(x)) == bits(model(x)))
"""
_AGAIN = """
import sys, torch
from tests.hub.test_mixin import Net, bits
x, expected = torch.load(sys.argv[1])
print(bits(Net.from_pretrained("me/net")(x)) == bits(expected))
"""


def test_pushed_fetched_and_taken_from_the_cache(tmp_path: Path) -> None:
    """Once more in a process of its own, offline, with no server any more."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_none"}

    def run(code: str, **more: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "outputs.pt")],
            capture_output=True,
            text=True,
            env=environment | more,
            cwd=Path(__file__).parents[2],
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    with running() as hub:
        url, same = run(_PUSH, HF_ENDPOINT=hub.url)
        assert url.startswith(f"{hub.url}/me/net/commit/")
        assert same == "True"
        assert set(hub.files) == {"model.pemn", "config.json", "README.md"}
        assert sum("/commit/" in request for request in hub.asked) == 1
    assert run(_AGAIN, HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="1") == ["True"]
