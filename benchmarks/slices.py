"""Time of a part of a layer beside the whole, and what each rank of a sharded load decodes.

    python benchmarks/slices.py [--rounds 31] [--ranks 4] [--load | --save] [--seekable] [--out results.jsonl]

By default: 1/16 of the rows of a 4096 × 4096 layer, by `get_slice` of an opened file, at the start, in the middle and
at the end, and the whole by `get_tensor`: interleaved, medians; of an ordinary file, and of one in chunks
(`seekable=True`). With `--load`: ranks over gloo load ViT-B (86 million weights, a random vector under masks) sharded
by FSDP. Each compares its rows with an ordinary distributed checkpoint, and counts the weights that it made, and the
bytes: of weights, of masks, blocks and chunks that were decoded whole, and of fronts of masks. With `--save`: the
same model, sharded, is saved by `PemnWriter`; of each rank the most private memory (Linux) beyond that before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.multiprocessing.spawn import start_processes

import pemncodec
from pemncodec.coding import block_parts, mask_parts, parts, rans, sections
from pemncodec.coding.blocks import coders as block_coders
from pemncodec.coding.masks import coders
from pemncodec.common.dtypes import FLOAT32
from pemncodec.container.manifest.coder_table import BLOCK_CODERS, MASK_CODERS

ROWS = COLUMNS = 4096
PART = 16
VECTOR = 16_384


def layer(path: Path, density: float, kept: bool, seekable: bool) -> int:
    """Write a file of one layer of 16 million weights, and return its size."""
    rng = np.random.default_rng(0)
    mask = pemncodec.Mask.from_bool(rng.random(ROWS * COLUMNS) < density)
    count = mask.count if kept else VECTOR
    values = rng.standard_normal(count).astype(np.float32).view(np.uint32)
    network = pemncodec.MaskedNetwork(masks=[mask])
    if not kept:
        network.prototypes.append(pemncodec.StoredPrototype(FLOAT32, values))
    filled = pemncodec.KeptFill(FLOAT32, values) if kept else pemncodec.TileFill(0)
    network.entries.append(pemncodec.Layer("weight", (ROWS, COLUMNS), 0, filled))
    return pemncodec.save_file(network, path, seekable=seekable).sizes.total


def timed(function: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Milliseconds that a call took, and its result."""
    begin = time.perf_counter()
    made = function()
    return 1e3 * (time.perf_counter() - begin), made


def part_of(path: Path, start: int) -> tuple[float, float, torch.Tensor]:
    """Milliseconds of the first part and of the same once more, in a file of its own; and the part."""
    rows = slice(start, start + ROWS // PART)
    with pemncodec.open(path) as file:
        begin = time.perf_counter()
        cut = file.get_slice("weight")
        made = cut[rows]
        first = 1e3 * (time.perf_counter() - begin)
        return first, timed(lambda: cut[rows])[0], made


def whole_of(path: Path) -> tuple[float, torch.Tensor]:
    """Milliseconds of the whole layer, in a file of its own; and the layer."""
    with pemncodec.open(path) as file:
        return timed(lambda: file.get_tensor("weight"))


def one_layer(path: Path, rounds: int) -> dict[str, Any]:
    """Medians in milliseconds, by the place of the part; each is of a file of its own, with nothing decoded before."""
    count = ROWS // PART
    places = {"start": 0, "middle": ROWS // 2, "end": ROWS - count}
    took: dict[str, list[float]] = {name: [] for name in ("whole", *places, "again")}
    for _ in range(rounds):
        whole, weight = whole_of(path)
        took["whole"].append(whole)
        for name, start in places.items():
            first, again, made = part_of(path, start)
            took[name].append(first)
            took["again"].append(again)
            assert torch.equal(made.view(torch.int32), weight[start : start + count].view(torch.int32))
            del made
        del weight
    with pemncodec.open(path) as file:
        manifest = file.decoder.manifest
        names = MASK_CODERS[manifest.masks[0].coder].name, BLOCK_CODERS[manifest.blocks[0].coder].name
    ms = {name: statistics.median(values) for name, values in took.items()}
    row: dict[str, Any] = {f"{name}_ms": round(value, 3) for name, value in ms.items()}
    of_whole = {f"{name}_of_whole": round(ms[name] / ms["whole"], 4) for name in (*places, "again")}
    return {"mask": names[0], "values": names[1], **row, **of_whole}


# --- ranks -----------------------------------------------------------------------------------------------------------


def vit(width: int = 768, depth: int = 12) -> nn.Module:
    """The weights of ViT-B/16: 86 million."""
    block = nn.TransformerEncoderLayer(width, 12, 4 * width, batch_first=True, device="meta")
    encoder = nn.TransformerEncoder(block, depth, enable_nested_tensor=False)
    patches, head = nn.Conv2d(3, width, 16, device="meta"), nn.Linear(width, 1000, device="meta")
    return nn.Sequential(patches, encoder, head).to_empty(device="cpu")


def network_of(density: float) -> tuple[pemncodec.MaskedNetwork, dict[str, torch.Tensor]]:
    """Matrices that repeat a random vector under masks, and random vectors; and the same as a state_dict."""
    g = torch.Generator().manual_seed(0)
    vector = torch.randn(VECTOR, generator=g)
    prototype = pemncodec.StoredPrototype(FLOAT32, vector.numpy().view(np.uint32))
    network, state = pemncodec.MaskedNetwork(prototypes=[prototype]), {}
    for name, tensor in vit().state_dict().items():
        shape = tuple(tensor.shape)
        if tensor.dim() > 1:
            repeated = vector.repeat(tensor.numel() // VECTOR + 1)[: tensor.numel()].reshape(shape)
            kept = torch.rand(shape, generator=g) < density
            state[name] = torch.where(kept, repeated, torch.zeros(()))
            network.entries.append(pemncodec.Layer(name, shape, len(network.masks), pemncodec.TileFill(0)))
            network.masks.append(pemncodec.Mask.from_bool(kept.numpy()))
        else:
            state[name] = torch.randn(shape, generator=g)
            words = state[name].numpy().view(np.uint32)
            network.entries.append(pemncodec.Tensor(name, FLOAT32, shape, words))
    return network, state


def counted() -> Counter[str]:
    """Count from now on the bytes of elements that parts are made of, and of what is decoded whole."""
    made: Counter[str] = Counter()
    fill, until = parts.PartDecoder.fill, rans.Front.until

    def fill_counted(self: parts.PartDecoder, out: Any, start: int) -> None:
        made["weights"] += len(out)
        made["weight_bytes"] += out.nbytes
        fill(self, out, start)

    def until_counted(self: rans.Front, stop: int) -> Any:
        before = self._done
        packed = until(self, stop)
        made["front_bytes"] += self._done - before
        return packed

    def counting(name: str, decode: Callable[..., Any]) -> Callable[..., Any]:
        def decoded(*arguments: Any) -> Any:
            found = decode(*arguments)
            made[name] += found.nbytes
            return found

        return decoded

    masks, blocks = counting("mask_bytes", coders.decode_mask), counting("block_bytes", block_coders.decode_block)
    vars(sections).update(decode_mask=masks, decode_block=blocks)
    vars(mask_parts).update(decode_chunk=counting("mask_bytes", coders.decode_chunk))
    vars(block_parts).update(decode_chunk=counting("block_bytes", block_coders.decode_chunk))
    parts.PartDecoder.fill, rans.Front.until = fill_counted, until_counted  # type: ignore[method-assign]
    return made


def network_of_rank(rank: int, ranks: int, folder: str) -> torch.nn.Module:
    """Join the ranks, and return the network of which each holds its rows."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    store = (Path(folder) / "store").as_uri()
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=ranks)
    model = vit()
    fully_shard(model, mesh=init_device_mesh("cpu", (ranks,)))
    return model


def rank_loads(rank: int, ranks: int, folder: str) -> None:
    """Load the shards of a rank from the file and from an ordinary checkpoint, and print what was decoded."""
    from torch.distributed.checkpoint.state_dict_loader import load

    from pemncodec.distributed import PemnReader

    model = network_of_rank(rank, ranks, folder)
    wanted = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    load(wanted, checkpoint_id=str(Path(folder) / "dcp"))
    state, made = model.state_dict(), counted()
    begin = time.perf_counter()
    load(state, storage_reader=PemnReader(Path(folder) / "model.pemn"))
    seconds = time.perf_counter() - begin

    def local(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to_local() if isinstance(tensor, DTensor) else tensor

    own = sum(local(tensor).numel() for tensor in state.values())
    own_bytes = sum(local(tensor).nbytes for tensor in state.values())
    same = all(torch.equal(local(state[n]).view(torch.int32), local(wanted[n]).view(torch.int32)) for n in wanted)
    row: dict[str, Any] = {"rank": rank, "own_weights": own, "own_bytes": own_bytes, **made}
    row["weights_of_own"] = round(made["weights"] / own, 4)
    row["bytes_of_own"] = round(sum(count for name, count in made.items() if name != "weights") / own_bytes, 4)
    Path(folder, f"rank{rank}.json").write_text(json.dumps(row | {"same": same, "seconds": round(seconds, 2)}))
    torch.distributed.destroy_process_group()


def private_bytes() -> int:
    """Memory of this process that is not of a file."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


def rank_saves(rank: int, ranks: int, folder: str) -> None:
    """Save the shards of a rank, and note the time and the memory."""
    from torch.distributed.checkpoint.state_dict_loader import load
    from torch.distributed.checkpoint.state_dict_saver import save

    from pemncodec.distributed import PemnReader, PemnWriter

    model = network_of_rank(rank, ranks, folder)
    state = model.state_dict()
    load(state, storage_reader=PemnReader(Path(folder) / "model.pemn"))
    before, most, ended = private_bytes(), [0], Event()

    def watch() -> None:
        while not ended.wait(0.005):
            most[0] = max(most[0], private_bytes())

    watching = Thread(target=watch)
    watching.start()
    begin = time.perf_counter()
    save(state, storage_writer=PemnWriter(Path(folder) / "saved.pemn"))
    seconds = time.perf_counter() - begin
    ended.set()
    watching.join()
    row = {"rank": rank, "own_bytes": sum(t.to_local().nbytes for t in state.values() if isinstance(t, DTensor))}
    row |= {"network_bytes": sum(t.nbytes for t in state.values()), "private_bytes": most[0] - before}
    Path(folder, f"rank{rank}.json").write_text(json.dumps(row | {"seconds": round(seconds, 2)}))
    torch.distributed.destroy_process_group()


def saved(ranks: int, density: float, seekable: bool) -> list[dict[str, Any]]:
    """Rows of all ranks."""
    with tempfile.TemporaryDirectory() as folder:
        pemncodec.save_file(network_of(density)[0], Path(folder) / "model.pemn", seekable=seekable)
        start_processes(rank_saves, (ranks, folder), ranks, start_method="spawn")
        loaded, again = (pemncodec.load_file(Path(folder) / f"{name}.pemn") for name in ("model", "saved"))
        same = all(torch.equal(loaded[name].view(torch.int32), again[name].view(torch.int32)) for name in loaded)
        rows = [json.loads(Path(folder, f"rank{rank}.json").read_text()) for rank in range(ranks)]
    said = {"saved": True, "density": density, "seekable": seekable, "ranks": ranks}
    return [{**said, **row, "same": same} for row in rows]


def sharded(ranks: int, density: float, seekable: bool) -> list[dict[str, Any]]:
    """Rows of all ranks."""
    from torch.distributed.checkpoint.state_dict_saver import save

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network, state = network_of(density)
        pemncodec.save_file(network, Path(folder) / "model.pemn", seekable=seekable)
        save(dict(state), checkpoint_id=str(Path(folder) / "dcp"))
        del network, state
        start_processes(rank_loads, (ranks, folder), ranks, start_method="spawn")
        rows = [json.loads(Path(folder, f"rank{rank}.json").read_text()) for rank in range(ranks)]
    return [{"density": density, "seekable": seekable, "ranks": ranks, **row} for row in rows]


def main() -> None:
    """Print a JSON row a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument("--density", type=float, nargs="*")
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--seekable", action="store_true", help="with --load and --save: the file is in chunks")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []

    def note(row: dict[str, Any]) -> None:
        print(json.dumps(row), flush=True)
        rows.append(row)

    if options.load or options.save:
        for density in options.density or (0.5, 0.2):
            for row in (sharded if options.load else saved)(options.ranks, density, options.seekable):
                note(row)
    else:
        with tempfile.TemporaryDirectory() as folder:
            for density in options.density or (0.5, 0.2, 0.05):
                for kept in (False, True):
                    for seekable in (False, True):
                        path = Path(folder) / "a.pemn"
                        said = {"density": density, "kept": kept, "seekable": seekable}
                        said["bytes"] = layer(path, density, kept, seekable)
                        note({**said, **one_layer(path, options.rounds)})
    if options.out is not None:
        options.out.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
