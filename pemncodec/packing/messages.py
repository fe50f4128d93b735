"""State_dicts of bool tensors and nothing else, as a federation sends them: the same bytes as `packing.pack`, sooner.

What takes the pipeline most of the time for a few kilobytes is to find out what the checkpoint is. A name that says
nothing, of a tensor of bools, cannot be of any family but `dense`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from ..checkpoints.metadata import RESERVED
from ..checkpoints.names import PREFIXES
from ..checkpoints.options import PackOptions
from ..coding.bools import only_bools
from ..coding.decoder import Decoder
from ..coding.rows import encode_tables
from ..common.dtypes import BOOL
from ..common.progress import silent
from ..common.torch_tensors import to_words
from ..common.words import Words
from ..container.opening import open_container
from ..container.writer import write_container
from ..errors import LimitError, ManifestError, MismatchError, NetworkError
from ..errors.quoting import quoted
from ..network.model import MaskedNetwork, Tensor
from ..network.validation import check_network
from .job import Job
from .options import InferenceOptions, Seeding, Storing

# Parts of names of each family but `dense`, if it is no mask beside a weight; and what wrappers put before all names.
_TELLING = ("score", "orig", "compress", "parametri", "recipe", *PREFIXES)
_DEFAULTS = PackOptions(), Seeding(), InferenceOptions(), Storing()


def message_of(job: Job) -> bytes | None:
    """The bytes of a `.pemn` file of bool tensors; None where it takes the pipeline to say what the source is.

    If the job verifies, the file is decoded once, and every tensor compared with that of the source.

    Raises:
        NetworkError: a name or a shape does not fit the format, or a bool is neither 0 nor 1.
        MismatchError: the file is not what went in.
    """
    source: Any = job.sources.get("")
    if type(source) not in (dict, OrderedDict) or len(job.sources) > 1 or job.base or job.add_to or job.include:
        return None
    if (job.reading, job.seeding, job.lossy, job.storing) != _DEFAULTS or not _are_plain(job.metadata):
        return None
    entries = _tensors(source)
    network = MaskedNetwork(list(entries), metadata=dict(job.metadata))
    if not entries or not only_bools(network):
        return None
    check_network(network)
    tables = encode_tables(network, silent, None, None)
    data = write_container(tables.manifest, tables.sections, check=not job.verify).to_bytes()
    if job.verify:
        _verify(data, entries)
    return data


def _are_plain(metadata: object) -> bool:
    return isinstance(metadata, dict) and not any(
        not isinstance(key, str) or key.startswith(RESERVED) or not key for key in metadata
    )


def _tensors(source: Mapping[Any, Any]) -> list[Tensor]:
    """The tensors of a state_dict of bool tensors with plain names, each with memory of its own; else none."""
    if not _say_nothing(source):
        return []
    found: list[Tensor] = []
    memory: set[int] = set()
    for name, tensor in source.items():
        if type(tensor) is not torch.Tensor or tensor.dtype != torch.bool or tensor.layout != torch.strided:
            return []
        if tensor.device.type != "cpu":
            return []
        memory.add(tensor.untyped_storage().data_ptr())
        found.append(Tensor(name, BOOL, tuple(tensor.shape), to_words(tensor, name)[1]))
    return found if len(memory) == len(found) else []


def _say_nothing(names: Iterable[Any]) -> bool:
    """Return whether names are of no family but `dense`: no tensor is a mask, or all of them are."""
    given = list(names)
    if not all(type(name) is str for name in given) or any(part in name for name in given for part in _TELLING):
        return False
    masks = [name for name in given if "mask" in name]
    return not masks or all(name.endswith("mask") and name.count("mask") == 1 for name in given)


def _verify(data: bytes, expected: list[Tensor]) -> None:
    """Decode the file, and compare its tensors."""
    try:
        container = open_container(data)
    except (ManifestError, LimitError) as reason:
        raise NetworkError(f"the network does not fit the format: {reason}") from None
    try:
        decoder = Decoder(container)
        rows = container.manifest.entries
        if len(rows) != len(expected):
            raise MismatchError(f"the file has {len(rows)} tensors, and the checkpoint has {len(expected)}")
        for index, tensor in enumerate(expected):
            said = rows[index].name, decoder.dtype(index), decoder.shape(index)
            if said != (tensor.name, tensor.dtype, tensor.shape) or not _equal(decoder.words(index), tensor.values):
                raise MismatchError(f"{quoted(tensor.name)} would not be the same in the file: report this")
    finally:
        container.close()


def _equal(one: Words, two: Words) -> bool:
    return np.array_equal(one, two)
