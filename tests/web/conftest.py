"""The bundle, for several tests of the decoder in JavaScript."""

from __future__ import annotations

from pathlib import Path

import pytest

from .node import WEB, run_node


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first file of the bundle, as `npm run bundle` makes it; without its tools the test is skipped."""
    for tool in ("rollup", "terser"):
        if not (WEB / "node_modules" / tool).exists():
            pytest.skip(f"{tool} is not installed (npm install in web/): the bundle was not tested")
    folder = tmp_path_factory.mktemp("bundle")
    run_node(WEB / "bundle.mjs", folder)
    return folder / "pemncodec.js"
