"""Many runs in parallel processes: rows of JSON as they finish, runs that have a row already are skipped."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import MISSING, fields
from pathlib import Path

import torch

import pemncodec

from . import counting, files, training
from .command import Command, Run
from .data import Images, load
from .rows import Row
from .settings import Architecture, Recipe, Setting


def run_all(runs: list[Run], command: Command) -> list[Row]:
    """Do what the rows do not have yet, and append it to them, one line of JSON a run.

    Args:
        runs: what to do, in this order.
        command: where, and at most how much.

    Returns:
        The rows of all `runs` that are done.
    """
    data, rows, jobs = command.data, command.rows, command.jobs
    images = load(data)
    print(f"data: {images.name}, {len(images.train):,} to train, {len(images.test):,} to test")
    if images.name == "digits":
        print("these are the packaged digits; give --data for CIFAR-10")
    done = read(rows)
    left = [run for run in runs if _find(done, run.identity(images.name)) is None][: command.limit]
    print(f"{len(runs)} runs, {len(runs) - len(left)} done before or not now, {len(left)} to do, {jobs} at a time")
    rows.parent.mkdir(parents=True, exist_ok=True)
    folder = command.state or rows.with_suffix("")
    if left:
        start, head = time.perf_counter(), commit()
        share = max(1, (os.cpu_count() or 1) // jobs)
        # Spawned, not forked: threads of torch do not survive a fork.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context, _start, (data, share)) as pool:
            futures = [pool.submit(_one, run, number, folder, head, command.text) for number, run in enumerate(left, 1)]
            for count, future in enumerate(as_completed(futures), 1):
                try:
                    row = future.result()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)  # what is not begun would have no row either
                    raise
                with rows.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                done.append(row)
                elapsed = time.perf_counter() - start
                rest = elapsed / count * (len(left) - count)
                print(
                    f"[{count}/{len(left)}] {row['network']}, {row['setting']}, seed {row['seed']}: "
                    f"{row['accuracy']} %, {row['pemn_bytes']} B; "
                    f"{elapsed / 60:.0f} min, about {rest / 60:.0f} left",
                    flush=True,
                )
    found = [_find(done, run.identity(images.name)) for run in runs]
    return [row for row in found if row is not None]


def check(runs: list[Run], data: Path | None) -> None:
    """Let every setting of `runs` make one step, and decode its file.

    Raises:
        AssertionError: a gradient or a loss is not finite, or the file is not the network.
    """
    images = load(data)
    for setting, recipe in dict.fromkeys((run.setting, run.recipe) for run in runs):
        start = time.perf_counter()
        model, loss = training.step(setting, images, recipe)
        packed = pemncodec.save({name: tensor.cpu() for name, tensor in model.state_dict().items()})
        plain = setting.architecture.build(images)
        plain.load_state_dict(pemncodec.load(packed), strict=True)
        batch = next(training.batches(images, 1, 4)).cpu()
        with torch.no_grad():
            assert torch.allclose(plain.eval()(batch), model.cpu()(batch), rtol=1e-3, atol=1e-3)
        name = f"{setting.architecture.name}, {setting.name}"
        print(f"{name}: loss {loss:.3f}, {len(packed):,} B, {time.perf_counter() - start:.1f} s", flush=True)


def read(path: Path) -> list[Row]:
    """The rows of a file; none if there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _find(rows: list[Row], identity: Row) -> Row | None:
    """The row of a run. A field that rows did not have yet when it was written has its default."""
    return next(
        (row for row in rows if all(row.get(name, _DEFAULTS.get(name)) == identity[name] for name in identity)), None
    )


_DEFAULTS = {
    field.name: field.default
    for kind in (Architecture, Setting, Recipe)
    for field in fields(kind)
    if field.default is not MISSING
}


def commit() -> str:
    """The commit that computes, with `+` if files differ from it."""
    here = Path(__file__).parent
    try:
        run = [
            subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True).stdout.strip()
            for arguments in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        ]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run[0] + ("+" if run[1] else "")


_images: Images | None = None


def _start(data: Path | None, threads: int) -> None:
    global _images
    torch.set_num_threads(threads)
    _images = load(data)


def _one(run: Run, number: int, folder: Path, head: str, command: str) -> Row:
    images = _images
    assert images is not None
    name = f"{run.setting.architecture.name}, {run.setting.name}, seed {run.seed}"
    name += f", {run.recipe.epochs} epochs"
    checkpoint = folder / (name.replace(" ", "_").replace(",", "").replace("/", "-").replace("%", "") + ".pt")
    start = time.perf_counter()

    def say(line: str) -> None:
        print(f"  run {number}: {name}: {line}, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)

    model = training.train(run.setting, images, run.recipe, run.seed, checkpoint, say)
    report = pemncodec.pack({name: tensor.cpu() for name, tensor in model.state_dict().items()})[1]
    plain = run.setting.architecture.build(images).to(training.device())
    stored = files.every(run.setting, model, images)
    row: Row = {
        **run.identity(images.name),
        # of the network that comes out of the file, not of the one in memory
        "accuracy": stored["lossless"].accuracy,
        "accuracy_before_packing": round(training.accuracy(model, images), 2),
        "values": counting.prototype_values(model),
        "formula_bytes": counting.formula(model, plain),
        "paper_bytes": counting.paper(model, plain),
        "pemn_bytes": stored["lossless"].size,
        "mask_bytes": report.sizes.masks,
        "dense_bytes": sum(tensor.numel() * tensor.element_size() for tensor in plain.state_dict().values()),
        "files": {title: file.fields() for title, file in stored.items()},
        "seconds": round(time.perf_counter() - start),
        "device": training.device().type,
        "torch": torch.__version__,
        "commit": head,
        "command": command,
    }
    checkpoint.unlink(missing_ok=True)
    return row
