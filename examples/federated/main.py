"""FedPM on scikit-learn's digits: masks between server and clients as `.pemn` files, beside FedAvg.

    pip install ".[examples]"
    python examples/federated/main.py [--rounds N] [--seed S] [--plot FILE]

Prints a row a round: bits a parameter that each client sends and receives, and accuracy in per cent. The same seed
prints the same numbers.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
METHODS = {
    "pemn": "FedPM, .pemn files",
    "uncompressed": "FedPM, float32 arrays",
    "fedavg": "FedAvg, dense float32",
}


def main() -> int:
    """Run the experiments, print them, and draw them."""
    parser = argparse.ArgumentParser(description="FedPM with .pemn messages on Flower's simulation engine.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, help="an image to write, .png or .svg")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    arguments = parser.parse_args()
    # Before torch and ray begin: one thread each, no reports to anyone, and clients that find the modules beside this.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    sys.path.insert(0, str(HERE))
    try:
        import flower
    except ModuleNotFoundError as reason:
        print(f"{reason}: pip install '.[examples]' in the checkout", file=sys.stderr)
        return 1
    runs = {method: flower.run(method, arguments.rounds, arguments.seed) for method in arguments.methods}
    print("round" + "".join(f" | {METHODS[method]:>32}" for method in runs))
    print("     " + " |       up     down    accuracy %  " * len(runs))
    for turn in range(arguments.rounds):
        cells = (f"{run.up[turn]:8.4f} {run.down[turn]:8.4f} {run.accuracy[turn]:13.2f}" for run in runs.values())
        print(f"{turn + 1:5d}" + "".join(f" |  {cell}" for cell in cells))
    if arguments.plot is not None:
        _draw(runs, arguments.plot)
    return 0


def _draw(runs: Mapping[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for method, run in runs.items():
        turns = range(1, len(run.accuracy) + 1)
        style = "--" if method == "uncompressed" else "-"
        left.plot(turns, run.accuracy, style, label=METHODS[method])
        (line,) = right.plot(turns, run.up, style, label=f"{METHODS[method]}, up")
        right.plot(turns, run.down, ":", color=line.get_color(), label=f"{METHODS[method]}, down")
    left.set(xlabel="round", ylabel="accuracy, %")
    right.set(xlabel="round", ylabel="bits a parameter", yscale="log")
    left.legend(fontsize=7)
    right.legend(fontsize=7)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    sys.exit(main())
