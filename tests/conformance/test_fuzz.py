"""Fuzzing, in short: the faults that were found stay away, some cases of every target, and that faults are noticed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fuzz import CORPUS, ROOT, SPEC, decoders, harness
from fuzz.containers import TARGET as CONTAINER
from fuzz.containers import vectors
from fuzz.harness import ACCEPTED, Target, Verdict, Wrong, judge, reset_peak, rng_of
from fuzz.targets import named, targets
from pemncodec.common import kernels

second: Any = import_module("decoder")  # of the specification; `fuzz` puts it on the path
FAULTS = sorted(path for path in CORPUS.iterdir() if path.suffix != ".txt")
SEED = 20
# Cases of a target: as many as fit some tenths of a second.
CASES = {"bombs": 3, "layouts": 5, "add-to": 5, "original": 15, "against": 15}
NAMES = [target.name for target in targets()]


def sound(verdict: Verdict) -> None:
    assert verdict.fault is None, f"{verdict.fault.kind} {verdict.fault.name}: {verdict.fault.text[-1500:]}"


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.name)
def test_known_faults(path: Path) -> None:
    # ten times the time of a campaign: a slow machine is no fault
    target = named(path.name.split("--")[0])
    if target.name == "bombs":  # the others make their corpora
        target.prepare()
    sound(judge(target, path.read_bytes(), cpu_seconds=10 * harness.CPU_SECONDS))


def test_corpus_is_small_and_says_what_it_is() -> None:
    assert len(FAULTS) >= 150
    assert sum(path.stat().st_size for path in FAULTS) < 300_000
    suffixes = {target.name: target.suffix for target in targets()}
    for path in FAULTS:
        assert suffixes[path.name.split("--")[0]] == path.suffix


@pytest.mark.parametrize("name", NAMES)
def test_some_cases(name: str) -> None:
    target = named(name)
    outcomes = set()
    for number in range(CASES.get(name, 40)):
        verdict = judge(target, target.make(rng_of(name, SEED, number)), cpu_seconds=10 * harness.CPU_SECONDS)
        sound(verdict)
        outcomes.add(verdict.outcome)
    if name not in CASES:
        assert len(outcomes) > 1, "every case ends in the same way: the mutations reach one rule only"


def test_every_part_has_a_target() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {f"mask-{name}" for name in ("constant", "raw", "zstd", "rans-bytes", "rans-ones")} < set(NAMES)
    assert sum(name.startswith("mask-") for name in NAMES) == 9
    assert sum(name.startswith("block-") for name in NAMES) == 7
    others = {"container", "networks", "prototypes", "delta", "readers", "bombs", "original", "against", "add-to"}
    assert others | {"archive", "legacy", "safetensors", "arrays", "states", "layouts"} < set(NAMES)


def digests(names: list[str]) -> str:
    """Of the first cases of these targets."""
    made = [named(name).make(rng_of(name, 0, number)) for name in names for number in range(20)]
    return hashlib.sha256(b"".join(made)).hexdigest()


def test_cases_are_the_same_in_every_process() -> None:
    names = [target.name for target in targets("decoders")]
    script = f"from tests.conformance.test_fuzz import digests; print(digests({names!r}))"
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == digests(names)


# --- that faults are noticed --------------------------------------------------------------------------------------


def test_another_bit_of_the_second_decoder_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = second.decode_block

    def wrong(*arguments: Any) -> Any:
        content = right(*arguments).copy()
        content[-1:] ^= 1
        return content

    data = (SPEC / "vectors" / "valid" / "one_tensor.pemn").read_bytes()
    sound(judge(CONTAINER, data))
    monkeypatch.setattr(second, "decode_block", wrong)
    with pytest.raises(Wrong) as caught:
        decoders.compare(data, max_bytes=1 << 20)
    assert caught.value.name == "package-second-values"


def test_another_class_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = vectors()[0][:-1]
    assert decoders.compare(data) == "truncated"
    monkeypatch.setattr(decoders, "by_the_second", lambda *_: "manifest")
    with pytest.raises(Wrong) as caught:
        decoders.compare(data)
    assert caught.value.name == "package-truncated-second-manifest"


def test_another_bit_without_kernels_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    if kernels.compiled is None:
        pytest.skip("the compiled loops were not built here")
    right = decoders.by_the_package

    def wrong(*arguments: Any, **named_ones: Any) -> Any:
        return right(*arguments, **named_ones) if kernels.compiled is not None else "payload"

    monkeypatch.setattr(decoders, "by_the_package", wrong)
    with pytest.raises(Wrong) as caught:
        decoders.compare((SPEC / "vectors" / "valid" / "one_tensor.pemn").read_bytes(), max_bytes=1 << 20)
    assert caught.value.name == "compiled-content-numpy-payload"


def target_of(check: Any) -> Target:
    return Target("made-up", ".bin", lambda rng: rng.randbytes(4), lambda data, _: data, check, "")


def raising(reason: BaseException) -> Any:
    def check(_: bytes) -> str:
        raise reason

    return check


def burning(_: bytes) -> str:
    while True:
        pass


held: list[bytes] = []


def taking(_: bytes) -> str:
    held.append(b"\1" * (200 << 20))
    held.clear()
    return ACCEPTED


def test_verdicts() -> None:
    reset_peak()  # of what other tests took
    for check, kind, name in (
        (raising(KeyError("x")), "foreign", "foreign-KeyError-outside"),
        (raising(MemoryError()), "foreign", "foreign-MemoryError-outside"),
        (raising(Wrong("other values", "")), "wrong", "other-values"),
        (taking, "memory", "memory-accepted"),
    ):
        verdict = judge(target_of(check), b"")
        assert verdict.fault is not None
        assert (verdict.fault.kind, verdict.fault.name) == (kind, name)
    verdict = judge(target_of(burning), b"", cpu_seconds=0.05)
    assert verdict.fault is not None
    assert verdict.fault.kind == "timeout"
    assert judge(target_of(lambda _: "payload"), b"").outcome == "payload"


def planted(data: bytes) -> str:
    """Dies, fails or differs for some of the cases."""
    number = data[0] % 16
    if number == 0:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == 1:
        raise ValueError("of the case")
    if number == 2:
        raise Wrong("values", "differ")
    return ACCEPTED if number % 2 else "payload"


PLANTED = """
import json, sys
from pathlib import Path
from fuzz.campaign import run
from tests.conformance.test_fuzz import planted, target_of
tally = run(target_of(planted), cases=200, seed=1, first=5, seconds=None, jobs=2, folder=Path(sys.argv[1]))
print(json.dumps(tally.row()))
"""


def test_a_campaign_goes_on_after_faults(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLANTED, str(tmp_path / "faults")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    row = json.loads(done.stdout)
    kinds = [Random(f"made-up/1/{number}").randbytes(4)[0] % 16 for number in range(5, 205)]
    assert (row["crash"], row["foreign"], row["wrong"]) == tuple(kinds.count(kind) for kind in (0, 1, 2))
    assert min(row["crash"], row["foreign"], row["wrong"]) > 0
    assert (row["cases"], row["next"]) == (200, 205)
    saved = sorted((tmp_path / "faults").glob("*.bin"))
    assert {path.read_bytes()[0] % 16 for path in saved} == {0, 1, 2}
    crash = next(path for path in saved if "crash" in path.name)
    assert "--first" in crash.with_suffix(".txt").read_text()


def test_the_command(tmp_path: Path) -> None:
    """One row of JSON a target, and a status of 0 where nothing was wrong; a saved case is checked once more."""
    command = [sys.executable, "-m", "fuzz", "--target", "block-raw", "--cases", "30", "--faults", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    row = json.loads(done.stdout)
    assert (row["target"], row["cases"], row["next"], done.returncode) == ("block-raw", 30, 30, 0)
    assert row["accepted"] + sum(row["refused"].values()) == 30
    case = tmp_path / "block-raw--some-case.pemn"
    case.write_bytes(named("block-raw").make(rng_of("block-raw", 0, 1)))
    again = subprocess.run([*command[:3], "--replay", str(case)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert json.loads(again.stdout)["file"] == case.name
    assert again.returncode == 0
