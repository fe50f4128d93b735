"""The command of spec/decoder.py, for many files in one process.

    python second.py < requests.jsonl

A request is the list of its arguments. The answer is what it printed, or the class of the error that it reported.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
from pathlib import Path

DECODER = Path(__file__).resolve().parents[2] / "spec" / "decoder.py"


def main() -> None:
    command = runpy.run_path(str(DECODER), run_name="decoder")["main"]
    for line in sys.stdin:
        stdout, stderr = io.StringIO(), io.StringIO()
        sys.argv = [str(DECODER), *json.loads(line)]
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            try:
                status = command()
            except SystemExit as reason:
                status = reason.code
        answer = {"class": stderr.getvalue().split(":")[0]} if status else json.loads(stdout.getvalue())
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
