"""Time of `pemn inspect` and `import pemncodec` beside `import numpy`: whole processes, interleaved, medians.

python benchmarks/startup.py [--runs 21]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

import pemncodec


def main() -> None:
    """Make a file of 340 tensors, and time the three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.pemn"
        pemncodec.save_file({f"layer{i}.weight": torch.rand(64) for i in range(340)}, path)
        commands = {
            "import numpy": [sys.executable, "-c", "import numpy"],
            "import pemncodec": [sys.executable, "-c", "import pemncodec"],
            "pemn inspect": [sys.executable, "-m", "pemncodec", "inspect", str(path)],
        }
        seconds: dict[str, list[float]] = {case: [] for case in commands}
        for _ in range(runs + 1):
            for case, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
                seconds[case].append(time.perf_counter() - start)
    medians = {case: statistics.median(times[1:]) for case, times in seconds.items()}
    for case, median in medians.items():
        ratio = round(median / medians["import numpy"], 2)
        print(json.dumps({"case": case, "median_s": round(median, 4), "times_of_import_numpy": ratio}))


if __name__ == "__main__":
    main()
