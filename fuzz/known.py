"""`python -m fuzz.known`: write the corpus of faults that were found, each made again from what it is.

A file's name says its target and what was wrong with it. Every one of them must be refused by an error of the package,
or read right; `tests/conformance/test_fuzz.py` checks that. A new fault gets a line here and a file, or, where nobody
can say it in a few words, the file that the campaign saved.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from writer.coders import D, frame
from writer.delta import xor_payload
from writer.writer import Block, File, alias, kept, mask, tensor

import pemncodec

from . import CORPUS, bombs
from .archives import saved
from .deltas import sha256
from .draws import bundle
from .metadata import LAYOUTS, metadata_of, with_metadata
from .sandbox import ESCAPE, sandbox

DEEP = "[" * 2000


def weights() -> dict[str, torch.Tensor]:
    """A layer with scores, and a bias."""
    return {
        "l.weight": torch.arange(1, 13).reshape(3, 4) / 8,
        "l.scores": torch.arange(12).reshape(3, 4) / 4,
        "l.bias": torch.tensor([0.5, -1.0, 2.0]),
    }


def packed(**metadata: str) -> bytes:
    """That, packed, and other metadata under `pemn.`."""
    data = pemncodec.save(weights(), keep=0.5)
    return with_metadata(data, metadata_of(data) | {f"pemn.{key}": value for key, value in metadata.items()})


# --- metadata ---------------------------------------------------------------------------------------------------


def original() -> dict[str, bytes]:
    """Return files for which `load_original` ended in a traceback, or wrote outside of the output."""

    def detail(**details: Any) -> bytes:
        return packed(original=json.dumps(details))

    return {
        "keep-is-no-json": packed(keep="half"),
        "keep-is-deep": packed(keep=DEEP),
        "keep-is-a-list": packed(keep="[0.5]"),
        "keep-is-text": packed(keep='"0.5"'),
        "keep-has-5000-digits": packed(keep="1" * 5000),
        "original-is-deep": packed(original=DEEP),
        "original-is-a-list": packed(original="[]"),
        "under-is-a-list": detail(under=["state_dict"]),
        "tasks-is-a-number": detail(tasks=3),
        "keep-of-tasks-is-a-number": detail(keep=3),
        "of-a-task-is-a-list": detail(of=[]),
        "of-a-task-is-a-list-of-lists": detail(of={"null": [[]]}, separate=True),
        "index-is-a-number": detail(index=3),
        "scores-is-a-number": detail(scores=3),
        "bernoulli-is-a-list": detail(bernoulli=[1]),
        "mask-is-no-dtype": detail(mask="nothing"),
        "mask-is-a-number": detail(mask=7),
        "prefix-is-long": detail(prefix="x" * 5000),
        "prefix-is-an-object": detail(prefix={"a": 1}),
        "layout-lottery-jackpots": packed(layout="lottery-jackpots", original='{"b_mask": 1}'),
        "layout-compressed-tensors-of-no-dtype": packed(
            layout="compressed-tensors", original='{"shape": "nothing", "row_offsets": [1], "suffix": 7}'
        ),
        "layout-compressed-tensors-of-a-function": packed(layout="compressed-tensors", original='{"shape": "relu"}'),
        "layout-supsup": packed(layout="supsup", original='{"scores": {"l": -1}, "tasks": []}'),
        "layout-piggyback": packed(layout="piggyback", original='{"under": 1, "ternary": [], "backbone": {}}'),
        "layout-parametrized": packed(layout="pemncodec.nn", original='{"sampler": {"l": 3}}'),
        "layout-biprop-without-keep": packed(layout="biprop", keep="null"),
        "layout-biprop-keep-is-text": packed(layout="biprop", keep='"x"'),
        "layout-torch-prune-names": packed(layout="torch.nn.utils.prune", original='{"suffix": [], "names": 1}'),
        **{f"layout-{layout}-of-float8": of_float8(layout) for layout in LAYOUTS},
        **{f"layout-{layout}-of-complex-scalars": of_scalars(layout) for layout in LAYOUTS},
        "folder-leads-out": packed(layout="lottery-ticket-hypothesis", original='{"folder": "../../escape"}'),
        "folder-is-absolute": packed(layout="lottery-ticket-hypothesis", original=json.dumps({"folder": ESCAPE})),
        "folder-is-a-number": packed(layout="lottery-ticket-hypothesis", original='{"folder": 7}'),
        "model-leads-out": packed(layout="open_lth", original='{"model": "../escape"}'),
        "model-is-absolute": packed(layout="open_lth", original=json.dumps({"model": ESCAPE})),
        "model-is-a-list": packed(layout="open_lth", original='{"model": []}'),
        "name-leads-out": entry_name("../escape", layout="lottery-ticket-hypothesis", original='{"folder": "final"}'),
        "name-is-absolute": entry_name(ESCAPE, layout="lottery-ticket-hypothesis", original='{"folder": "final"}'),
        "name-has-bidirectional-override": entry_name("\u202egpj.weight"),
    }


def of_float8(layout: str) -> bytes:
    """A kept layer and a tensor of a type that torch cannot compute with, in a layout that never had them."""
    values = Block(D.FLOAT8_E4M3FN, 0, bytes(range(8)))
    rows = [kept("l.weight", [2, 3], 0), tensor("l.bias", [4])]
    return File(
        masks=[mask("110110", 1)], blocks=[values], entries=rows, metadata=[("pemn.layout", layout), ("x", "")]
    ).build()


def of_scalars(layout: str) -> bytes:
    """A layer without dimensions under a name without a dot, and an alias of it."""
    rows = [kept("weight", [], 0), alias("scores", 0)]
    return File(
        masks=[mask("1", 1)],
        blocks=[Block(D.COMPLEX64, 0, bytes(8))],
        entries=rows,
        metadata=[("pemn.layout", layout)],
    ).build()


def entry_name(name: str, **metadata: str) -> bytes:
    """A file of one tensor of this name."""
    data = pemncodec.save({name: torch.ones(2)})
    return with_metadata(data, metadata_of(data) | {f"pemn.{key}": value for key, value in metadata.items()})


def against() -> dict[str, bytes]:
    """Return cases for which `verify --against` ended in a traceback."""
    checkpoint = saved(weights())

    def files(keep: float | None = None, **metadata: str) -> bytes:
        options = {} if keep is None else {"keep": keep}
        return bundle([b"any", packed(**metadata), checkpoint, json.dumps(options).encode()])

    return {
        "original-is-a-list": files(original="[]"),
        "original-is-no-json": files(original="{"),
        "original-is-deep": files(original=DEEP),
        "keep-of-tasks-is-a-number": files(original='{"keep": 1}'),
        "keep-is-deep": bundle([b"any", packed(keep=DEEP), checkpoint, b"{}"]),
        "fold-batchnorm-is-a-list": files(0.5, fold_batchnorm="[]"),
        "fold-batchnorm-is-no-json": files(0.5, fold_batchnorm="{"),
        "fold-batchnorm-is-deep": files(0.5, fold_batchnorm=DEEP),
        "tensor-dtype-is-a-number": files(0.5, tensor_dtype="1"),
        "tensor-dtype-is-deep": files(0.5, tensor_dtype=DEEP),
        "threshold-is-nan": files(mask_rule="threshold", threshold="nan"),
    }


def add_to() -> dict[str, bytes]:
    """Return cases for which `save_tasks(add_to=)` ended in a traceback."""

    def files(**metadata: str) -> bytes:
        other = {"l.weight": weights()["l.weight"], "l.scores": weights()["l.scores"]}
        with sandbox() as folder:
            pemncodec.save_tasks({"one": other}, folder / "out.pemn", keep=0.5)
            data = (folder / "out.pemn").read_bytes()
        data = with_metadata(data, metadata_of(data) | {f"pemn.{key}": value for key, value in metadata.items()})
        return bundle([data, saved(other), b'{"keep": 0.5}'])

    return {
        "original-is-a-number": files(original="1"),
        "original-is-no-json": files(original="{"),
        "original-is-deep": files(original=DEEP),
        "keep-is-no-json": files(keep="half"),
        "keep-is-deep": files(keep=DEEP),
        "keep-has-5000-digits": files(keep="1" * 5000),
        "dropped-is-null": files(dropped="null"),
        "dropped-is-a-number": files(dropped="1"),
        "layout-is-unknown": files(layout="nothing"),
    }


# --- bombs ------------------------------------------------------------------------------------------------------


def bomb_files() -> dict[str, bytes]:
    """Small files that took much memory, disk or time."""
    return {
        "aliases-100-of-1-MiB": bombs.aliases(100, 1 << 20),
        "coo-of-1-MiB-in-32-dimensions": bombs.dimensions(1 << 20, 32),
        "coo-of-96-thousand-in-32-dimensions": bombs.dimensions(96_000, 32),
        "names-and-dimensions": bombs.tensors(3000, 32),
        "names-that-go-on-and-dimensions": bombs.chained(20, 32),
        "gaps-of-ones-1-Mi": bombs.gaps(1 << 20, 3),
        "gaps-of-zeros-1-Mi": bombs.gaps(1 << 20, 4),
        "seeds-300": bombs.seeds(300, 0),
        "tasks-5000": bombs.tasks(5000, 1),
        "metadata-of-1-MiB": bombs.metadata(1, 1 << 20),
        "layers-under-one-mask": bombs.shared(1000, 256),
    }


# --- deltas -----------------------------------------------------------------------------------------------------


def no_elements() -> dict[str, bytes]:
    """A user of no elements refers to an entry of the base whose block is broken, or larger than the limit."""

    def upon(base: bytes) -> bytes:
        rows = [tensor("t", [0])]
        block = Block(D.INT16, 6, xor_payload([1], 0, b""))
        file = File(blocks=[block], entries=rows, header={"minor": 3}, metadata=[("pemn.base", sha256(base))])
        return bundle([file.build(), base])

    broken = File(blocks=[Block(D.INT16, 1, frame(bytes(3)))], entries=[tensor("e", [0]), tensor("x", [2])])
    large = File(blocks=[bombs.constant(D.INT16, bytes(2))], entries=[tensor("e", [0]), tensor("x", [1 << 20])])
    return {
        "user-of-no-elements-of-a-broken-block": upon(broken.build()),
        "user-of-no-elements-of-a-large-block": upon(large.build()),
    }


# --- checkpoints ------------------------------------------------------------------------------------------------


def archive_files() -> dict[str, bytes]:
    """Archives whose records are not what a reader that maps the file takes them for."""
    data = saved(weights())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        records = [(one, archive.read(one)) for one in archive.infolist()]
    values = next(one for one, content in records if "/data/" in one.filename and len(content) == 48)
    pickle = next(one for one, _ in records if one.filename.endswith("data.pkl"))

    def flipped(info: zipfile.ZipInfo, at: int) -> bytes:
        start = info.header_offset + 30
        name, extra = (int.from_bytes(data[start - size : start - size + 2], "little") for size in (4, 2))
        where = start + name + extra + at
        return data[:where] + bytes([data[where] ^ 0x10]) + data[where + 1 :]

    def zipped(how: int) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for one, content in records:
                archive.writestr(_record(one.filename, how), content)
        return out.getvalue()

    return {
        "records-are-deflated": zipped(zipfile.ZIP_DEFLATED),
        "records-are-bzip2": zipped(zipfile.ZIP_BZIP2),
        "records-are-lzma": zipped(zipfile.ZIP_LZMA),
        "byte-flipped-in-a-storage": flipped(values, 5),
        "byte-flipped-in-the-pickle": flipped(pickle, len(data) % 7 + 60),
        "pickle-protocol-4": saved(weights(), pickle_protocol=4),
        "storage-missing": _without(records, values.filename),
        "stride-0-of-2-to-the-20": saved({"w": torch.zeros(1).expand(1 << 20)}),
    }


def _without(records: list[tuple[zipfile.ZipInfo, bytes]], name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for one, content in records:
            if one.filename != name:
                archive.writestr(_record(one.filename, zipfile.ZIP_STORED), content)
    return out.getvalue()


def _record(name: str, how: int) -> zipfile.ZipInfo:
    """A record of no date, so that the same bytes are written every time."""
    made = zipfile.ZipInfo(name)
    made.compress_type = how
    return made


def safetensors_files() -> dict[str, bytes]:
    """Headers that are nearly right."""

    def file(text: str, data: bytes = bytes(8)) -> bytes:
        raw = text.encode()
        return len(raw).to_bytes(8, "little") + raw + data

    row = '{"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}'
    return {
        "header-is-deep": file('{"a": ' + DEEP),
        "name-twice": file(f'{{"a": {row}, "a": {row}}}'),
        "offsets-overlap": file(f'{{"a": {row}, "b": {row}}}'),
        "shape-is-negative": file('{"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}'),
        "header-is-a-list": file("[]"),
        "dtype-is-unknown": file('{"a": {"dtype": "F6_E2M3", "shape": [2], "data_offsets": [0, 8]}}'),
    }


def array_files() -> dict[str, bytes]:
    """Arrays that are none of tensors."""

    def npy(array: Any) -> bytes:
        out = io.BytesIO()
        np.save(out, array, allow_pickle=True)
        return out.getvalue()

    def folder(content: bytes) -> bytes:
        mask = npy(np.array([1.0, 0.0, 1.0], dtype="<f4"))
        return bundle([b"final/l.npy", content, b"masks/l.npy", mask])

    plain = npy(np.array([1.0, 2.0, 3.0], dtype="<f4"))
    size = int.from_bytes(plain[8:10], "little")
    return {
        "big-endian": folder(npy(np.array([1.0, 2.0, 3.0], dtype=">f4"))),
        "objects": folder(npy(np.array([1.0, None, 3.0], dtype=object))),
        "empty-file": folder(b""),
        "header-is-cut-off": folder(plain[:8] + b"\1\0{" + plain[10 + size :]),
        "header-is-open": folder(plain[:8] + b"\2\0{\n" + plain[10 + size :]),
        "dates": folder(npy(np.array(["2020-01-01"] * 3, dtype="<M8[s]"))),
        "text": folder(npy(np.array(["a", "b", "c"]))),
    }


def state_recipes() -> dict[str, bytes]:
    """Values that are no plain tensors, each under a plain name and beside a mask."""

    def entry(key: Any, how: str = "plain", values: str = "normal", tied: bool = False) -> dict[str, Any]:
        row = {"key": key, "how": how, "shape": [3, 4], "dtype": "float32", "values": values, "seed": 1}
        return row | {"tied": tied}

    def recipe(*entries: dict[str, Any], under: str | None = None, **options: Any) -> bytes:
        rows = list(entries)
        return json.dumps({"under": under, "beside": {}, "ordered": 0, "entries": rows, "options": options}).encode()

    found: dict[str, bytes] = {}
    odd = (
        "numpy",
        "big-endian",
        "object-array",
        "sparse_coo",
        "sparse_csr",
        "meta",
        "quantized",
        "nested",
        "fake",
        "lazy",
    )
    for how in (*odd, "dict", "dict-of-numpy", "subclass", "module", "list"):
        found[f"weight-is-{how}"] = recipe(entry("a.weight"), entry("b.weight", how), under="state_dict")
        found[f"scores-are-{how}"] = recipe(entry("a.weight"), entry("a.scores", how), keep=0.5)
        found[f"mask-is-{how}"] = recipe(entry("a.weight_orig"), entry("a.weight_mask", how, "mask"))
    found["key-is-an-integer"] = recipe(entry(7), entry("a.weight"))
    found["key-is-none"] = recipe(entry(None), entry("a.weight"))
    found["masks-of-another-file-are-sparse"] = recipe(
        entry("a.weight"), masks={"a.weight": entry("m", "sparse_coo", "mask")}
    )
    found["keep-is-a-list"] = recipe(entry("a.weight"), entry("a.scores"), keep=[])
    found["weight-tied-to-a-masked-one"] = recipe(
        entry("a.scores"), entry("a.weight"), entry("b.weight", tied=True), keep=0.5
    )
    return found


def layout_recipes() -> dict[str, bytes]:
    """Ties, and values that are none, in the checkpoints of `tests/layouts`."""
    names = {
        "torch-prune": "torch prune, before remove, l1_unstructured, flat",
        "edge-popup": "wrapping, flat",
        "iterand": "IteRand, weight_score, nested under model_state_dict, sparsity 0.6",
        "parametrizations": "parametrizations, mask of float32, flat",
    }
    found = {}
    for family, case in names.items():
        for step in ("add-tied", "meta", "sparse"):
            for number in (0, 1):
                recipe = {"case": case, "steps": [[step, number, 0]], "without": []}
                found[f"{family}-{step}-{number}"] = json.dumps(recipe).encode()
    return found


FAULTS: dict[str, tuple[str, Callable[[], dict[str, bytes]]]] = {
    "original": (".pemn", original),
    "against": (".files", against),
    "add-to": (".files", add_to),
    "bombs": (".pemn", bomb_files),
    "delta": (".files", no_elements),
    "archive": (".pt", archive_files),
    "safetensors": (".safetensors", safetensors_files),
    "arrays": (".files", array_files),
    "states": (".json", state_recipes),
    "layouts": (".json", layout_recipes),
}


def main() -> None:
    """Write the files."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    total = 0
    for target, (suffix, make) in FAULTS.items():
        for name, data in make().items():
            (CORPUS / f"{target}--{name}{suffix}").write_bytes(data)
            total += len(data)
    print(f"{CORPUS}: {total} bytes")


if __name__ == "__main__":
    main()
