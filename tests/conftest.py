"""Fixtures of several test modules, and which of these are slow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pemncodec.coding import sections as decode_sections
from pemncodec.coding.blocks import coders as tensors
from pemncodec.coding.masks import coders as masks
from pemncodec.common import kernels

# Modules, and tests by `module::function`, that `make test-fast` leaves out: they start processes, train, or try much.
SLOW = {
    "checkpoints/test_folders::test_a_piped_standard_input",
    "checkpoints/test_metadata::test_bad_metadata_is_no_fault_of_the_file",
    "checkpoints/test_metadata::test_hostile_files",
    "checkpoints/test_reading",
    "checkpoints/test_situations::test_by_the_command",
    "checkpoints/test_streamed",
    "cli/test_cli",
    "cli/test_cli_checkpoints",
    "cli/test_cli_streams",
    "cli/test_cli_targets",
    "common/test_kernels_missing",
    "coding/test_delta::test_any_two_networks",
    "coding/test_delta::test_built_networks_against_themselves",
    "coding/test_masks",
    "conformance/test_damage",
    "generators/test_dialects",
    "loading/test_api::test_same_bytes_in_another_process_with_another_hash_seed",
    "loading/test_jobs",
    "loading/test_limits",
    "loading/test_memory",
    "loading/test_on_device",
    "loading/test_packed",
    "loading/test_processes",
    "nn/test_nn",
    "packed/test_products",
    "packing/test_hidden_prototypes",
    "packing/test_inference",
    "packing/test_many_tensors",
    "packing/test_torch_seeds",
    "project/test_docs",
    "project/test_experiments",
    "project/test_peers",
    "project/test_site",
    "project/test_vector_script",
    "web/test_page",
    "web/test_vectors",
}
FUZZ = {"conformance/test_fuzz"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow modules, and of the fuzzing harness."""
    for item in items:
        module = item.path.relative_to(Path(__file__).parent).with_suffix("").as_posix()
        name = getattr(item, "originalname", item.name)
        if module in SLOW or f"{module}::{name}" in SLOW:
            item.add_marker(pytest.mark.slow)
        if module in FUZZ:
            item.add_marker(pytest.mark.fuzz)


@pytest.fixture(scope="module", params=["compiled", "numpy"])
def both_ways(request: pytest.FixtureRequest) -> Iterator[str]:
    """With the compiled loops, and without."""
    if request.param == "compiled":
        if kernels.compiled is None:
            pytest.skip("the compiled loops were not built here")
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "compiled", None)
        yield request.param


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the masks and the blocks that are decoded, under `"mask"` and `"block"`."""
    counter: Counter[str] = Counter()

    def counted(name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            counter[name] += 1
            return function(*arguments)

        return call

    monkeypatch.setattr(decode_sections, "decode_mask", counted("mask", masks.decode_mask))
    monkeypatch.setattr(decode_sections, "decode_block", counted("block", tensors.decode_block))
    return counter
