"""Targets of metadata: `load_original`, `unpack --layout original`, `verify --against` and `save_tasks(add_to=)`.

The files are those of `tests/layouts`, packed; what they say of themselves is mutated.
"""

from __future__ import annotations

import copy
import io
import json
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import decoder as second
import torch

import pemncodec
from pemncodec.errors import PemnError
from tests.layouts import Case, cases

from . import fields, files, values
from .draws import bundle, noise, unbundle
from .harness import ACCEPTED, Target, Wrong
from .jsons import DETAILS, any_json, other_json, text_of
from .packed import flat
from .sandbox import OUTWARD, pemn, refused, sandbox

MOST = 4_000  # elements of a checkpoint
LAYOUTS = [
    *(
        "dense",
        "edge-popup",
        "iterand",
        "popup-scores",
        "supsup",
        "torch.nn.utils.prune",
        "torch.nn.utils.parametrize",
        "fedpm",
    ),
    *("piggyback", "open_lth", "lottery-ticket-hypothesis", "lottery-jackpots", "compressed-tensors", "biprop"),
    *("masks-file", "masked-buffers", "pemncodec.nn"),
]
KEYS = [
    *("pemn.layout", "pemn.original", "pemn.keep", "pemn.mask_rule", "pemn.dropped", "pemn.base"),
    *("pemn.fold_batchnorm", "pemn.tensor_dtype", "pemn.threshold", "pemn.tasks", "user"),
]


@cache
def small_cases() -> list[Case]:
    """Checkpoints of every family with few elements, and folders."""
    found = []
    for case in cases():
        size = sum(tensor.numel() for tensor in flat(case.checkpoint).values())  # of a folder 0
        if size <= MOST:
            found.append(case)
    return found


@cache
def packed(number: int) -> bytes:
    """The file of a small case."""
    case = small_cases()[number]
    if case.checkpoint is not None:
        return pemncodec.save(case.checkpoint, **case.options)
    with tempfile.TemporaryDirectory() as folder:
        return pemncodec.save(pemncodec.load_checkpoint(case.write(Path(folder))), **case.options)


def pick(rng: Random) -> bytes:
    """The file of any of them."""
    return packed(rng.randrange(len(small_cases())))


def prepare() -> None:
    """Pack them all."""
    for number in range(len(small_cases())):
        packed(number)


# --- mutation ---------------------------------------------------------------------------------------------------


def metadata_of(data: bytes) -> dict[str, str]:
    """The metadata of a file."""
    with pemncodec.open(data) as file:
        return file.metadata


def with_metadata(data: bytes, metadata: dict[str, str]) -> bytes:
    """The file with other metadata."""
    parts = fields.split(data)
    before = 1 + 2 * parts.fields[0].value
    rows = sorted((key.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for key, value in metadata.items())
    strings = [fields.Field("str", data=text) for row in rows for text in row]
    made = [fields.Field("u", len(rows)), *strings]
    parts.sizes = [at - before + len(made) for at in parts.sizes]
    parts.fields[:before] = made
    parts.store = "plain"
    return parts.build()


def mutated(metadata: dict[str, str], rng: Random) -> dict[str, str]:
    """Other metadata; much of it is right."""
    made = dict(metadata)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        kind = rng.randrange(12)
        key = rng.choice([*made, "pemn.original", "pemn.original"]) if made else "pemn.original"
        if kind < 5:
            try:
                value = json.loads(made.get(key, "{}"))
            except (ValueError, RecursionError):
                value = made[key]
            made[key] = text_of(other_json(value, rng), rng)
        elif kind == 5 and rng.randrange(2):
            made["pemn.original"] = text_of({rng.choice(DETAILS): any_json(rng) for _ in range(3)}, rng)
        elif kind == 5:
            made[rng.choice(KEYS)] = text_of(any_json(rng), rng)
        elif kind == 6:
            made.pop(key, None)
        elif kind == 7:
            made["pemn.layout"] = rng.choice([*LAYOUTS, rng.choice(OUTWARD), "dense\n"])
        elif kind == 8:
            other = metadata_of(pick(rng))
            made["pemn.original"] = other.get("pemn.original", "{}")
            made["pemn.layout"] = other["pemn.layout"]
        elif kind == 9:
            made["pemn.mask_rule"] = rng.choice(["edge-popup", "sigmoid", "explicit", "nonzero", "none", "", "global"])
        elif kind == 10:
            made["pemn.keep"] = text_of(rng.choice([0.5, 0, 2, -1, "0.5", {"*": 0.5}, {"": None}, [0.5], None]), rng)
        else:
            made[key] = noise(made.get(key, "").encode("utf-8", "replace"), rng).decode("utf-8", "replace")
    return {key or "k": value for key, value in made.items()}


def make(rng: Random) -> bytes:
    """A packed checkpoint with other metadata."""
    if rng.randrange(4):
        data = pick(rng)
        return with_metadata(data, mutated(metadata_of(data), rng))
    data = files.network(rng).build()  # layers of any type and shape, in a layout that never had them
    try:
        return with_metadata(data, mutated(metadata_of(pick(rng)) | {"pemn.layout": rng.choice(LAYOUTS)}, rng))
    except second.DecodeError:
        return data


def mutate(data: bytes, rng: Random) -> bytes:
    """A file with other metadata."""
    try:
        return with_metadata(data, mutated(metadata_of(data), rng))
    except (PemnError, ValueError):
        return make(rng)


# --- what reads it ----------------------------------------------------------------------------------------------


def _outcome(calls: list[Callable[[], object]]) -> str:
    """`ACCEPTED`, or the class of the first error that one of the calls raises; all of them are made."""
    found = ACCEPTED
    for call in calls:
        try:
            call()
        except PemnError as reason:
            found = refused(reason) if found == ACCEPTED else found
        except SystemExit:
            found = "usage" if found == ACCEPTED else found
    return found


def check_original(data: bytes) -> str:
    """`load_original` of every task, and the command that writes it; nothing is written elsewhere."""
    try:
        with pemncodec.open(data) as file:
            tasks = [None, *file.tasks[:3], *(["no such task"] if len(data) % 8 == 0 else [])]
    except PemnError as reason:
        return refused(reason)
    calls: list[Callable[[], object]] = [partial(pemncodec.load_original, data, task=task) for task in tasks]
    with sandbox(in__pemn=data) as folder:
        name = "out.safetensors" if len(data) % 4 == 0 else "out.pt"
        calls.append(lambda: pemn("unpack", folder / "in.pemn", folder / name, "--layout", "original"))
        calls.append(lambda: pemn("inspect", folder / "in.pemn"))
        calls.append(lambda: json.loads(pemn("inspect", "--json", folder / "in.pemn")))
        return _outcome(calls)


def make_against(rng: Random) -> bytes:
    """A packed checkpoint with other metadata beside the checkpoint; or both as they are but for one bit."""
    number = rng.choice(one_file_cases())
    case, data = small_cases()[number], packed(number)
    checkpoint = case.checkpoint
    if rng.randrange(3) == 0:
        return bundle([b"other", data, _saved(_one_bit(case, rng)), json.dumps(case.options).encode()])
    data = with_metadata(data, mutated(metadata_of(data), rng))
    options = {} if rng.randrange(2) else case.options
    return bundle([b"any", data, _saved(checkpoint), json.dumps(options).encode()])


@cache
def one_file_cases() -> list[int]:
    """Numbers of those that are one object, with options that the command has."""
    found = enumerate(small_cases())
    return [number for number, case in found if case.checkpoint is not None and _simple(case)]


def _simple(case: Case) -> bool:
    """Return whether the options can be said on the command line."""
    return all(isinstance(value, float | int | str) for value in case.options.values())


def _saved(checkpoint: Any) -> bytes:
    out = io.BytesIO()
    torch.save(checkpoint, out)
    return out.getvalue()


def _one_bit(case: Case, rng: Random) -> Any:
    """The checkpoint with one bit of a tensor changed that no mask has anything to do with; or as it is without one."""
    made = copy.deepcopy(case.checkpoint)
    inner = next((value for value in made.values() if isinstance(value, dict) and _tensors(value)), made)
    names = [
        name
        for name, tensor in _tensors(inner).items()
        if name in case.effective.get("", {})
        and tensor.dim() <= 1
        and tensor.numel()
        and values.row(tensor) == values.row(case.effective[""][name])
    ]
    if not names:
        return None
    tensor = inner[rng.choice(names)]
    flat = tensor.data.contiguous().reshape(-1).view(torch.uint8)
    flat[rng.randrange(len(flat))] ^= 1 << rng.randrange(8)
    tensor.data.copy_(flat.view(tensor.dtype).reshape(tensor.shape))
    return made


def _tensors(value: dict[Any, Any]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in value.items() if isinstance(tensor, torch.Tensor)}


def check_against(data: bytes) -> str:
    """`pemn verify --against`: never the same where a bit is not."""
    parts = [*unbundle(data), b"", b"", b"", b"{}"]
    kind, file, checkpoint, options = parts[:4]
    if kind == b"other" and checkpoint == _saved(None):
        return ACCEPTED
    arguments = []
    for name, value in json.loads(options).items():
        arguments += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    with sandbox(in__pemn=file, in__pt=checkpoint) as folder:
        command: list[Any] = ["verify", folder / "in.pemn", "--against", folder / "in.pt", *arguments]
        found = _outcome([lambda: pemn(*command)])
    if kind == b"other" and found == ACCEPTED:
        raise Wrong("against-same-of-other-bits", "verified, and a bit is another one")
    return found


def make_add(rng: Random) -> bytes:
    """A file of tasks with other metadata, and a checkpoint that may be of its layout."""
    number = rng.choice(one_file_cases())
    case, data = small_cases()[number], of_tasks(number)
    if rng.randrange(8) == 0:
        case = small_cases()[rng.choice(one_file_cases())]
    metadata = mutated(metadata_of(data), rng)
    return bundle([with_metadata(data, metadata), _saved(case.checkpoint), json.dumps(case.options).encode()])


@cache
def of_tasks(number: int) -> bytes:
    """A case as a file of tasks; as it is where it has tasks itself."""
    case = small_cases()[number]
    if packed_tasks(packed(number)):
        return packed(number)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tasks.pemn"
        pemncodec.save_tasks({"one": case.checkpoint}, path, **case.options)
        return path.read_bytes()


def packed_tasks(data: bytes) -> list[str]:
    """The tasks of a file."""
    with pemncodec.open(data) as file:
        return file.tasks


def prepare_tasks() -> None:
    """Pack them all, and as tasks."""
    for number in one_file_cases():
        of_tasks(number)


def check_add(data: bytes) -> str:
    """`save_tasks(add_to=)`."""
    file, checkpoint, options = [*unbundle(data), b"", b"", b"{}"][:3]
    with sandbox(in__pemn=file, in__pt=checkpoint) as folder:

        def add() -> None:
            loaded = pemncodec.load_checkpoint(folder / "in.pt")
            pemncodec.save_tasks({"new": loaded}, folder / "out.pemn", add_to=file, **json.loads(options))

        return _outcome([add])


TARGETS = [
    Target("original", ".pemn", make, mutate, check_original, "load_original, unpack --layout original", prepare),
    Target(
        "against", ".files", make_against, lambda _, rng: make_against(rng), check_against, "verify --against", prepare
    ),
    Target("add-to", ".files", make_add, lambda _, rng: make_add(rng), check_add, "save_tasks(add_to=)", prepare_tasks),
]
