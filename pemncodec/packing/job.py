"""Networks that become one file, and how: what the command and the functions of `packing.save` ask the pipeline for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from ..checkpoints.options import PackOptions
from ..checkpoints.reading.load import CheckpointFile
from ..coding.delta.base_files import BaseFiles
from ..common.progress import Progress, silent
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes
from ..network.model import MaskedNetwork
from .options import InferenceOptions, Seeding, Storing


@dataclass(frozen=True)
class NetworkFile:
    """A `.pemn` file that is packed again, as masks and prototypes.

    Attributes:
        file: a path, a URL, or bytes.
        max_bytes: refuse a file that decodes to more.
    """

    file: PathOrBytes
    max_bytes: int = DEFAULT_MAX_BYTES


Source = torch.nn.Module | Mapping[str, Any] | MaskedNetwork | CheckpointFile | NetworkFile
# Names a stage ("packing", "verifying"), and gives what is called while it runs.
Stages = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True)
class Job:
    """Networks that become one file, and how.

    Attributes:
        sources: networks by the names of their tasks; a single network under `""`.
        reading: what the checkpoints do not say.
        masks, backbone: of `reading`, where these are files.
        seeding: where random weights may come from.
        lossy: conversions of tensors without a mask.
        storing: how masks and values are stored.
        metadata: string to string, stored in the file.
        base: the file that this one may be a difference from.
        add_to: a file with tasks, to which these are added.
        max_bytes: of `add_to`, how much it may decode to.
        verify: whether the file is compared with the sources before it is in its place.
        include: patterns of the files beside a network in a folder that are kept as they are.
    """

    sources: Mapping[str, Source]
    reading: PackOptions = field(default_factory=PackOptions)
    masks: CheckpointFile | None = None
    backbone: CheckpointFile | None = None
    seeding: Seeding = field(default_factory=Seeding)
    lossy: InferenceOptions = field(default_factory=InferenceOptions)
    storing: Storing = field(default_factory=Storing)
    metadata: Mapping[str, str] = field(default_factory=dict)
    base: BaseFiles = None
    add_to: PathOrBytes | None = None
    max_bytes: int = DEFAULT_MAX_BYTES
    verify: bool = True
    include: Sequence[str] = ()

    @property
    def files(self) -> list[CheckpointFile]:
        """The checkpoints that are files, those of masks and of the backbone included."""
        named = (*self.sources.values(), self.masks, self.backbone)
        return [one for one in named if isinstance(one, CheckpointFile)]


def quiet(_: str) -> AbstractContextManager[Progress]:
    """Report nothing, whatever the stage."""
    return nullcontext(silent)


_READING = tuple(PackOptions.__dataclass_fields__)
_LOSSY = tuple(InferenceOptions.__dataclass_fields__)


def job_of(sources: Mapping[str, Source], given: Mapping[str, Any]) -> Job:
    """Return the job for the arguments of a function of `packing.save`, given by name."""
    return Job(
        sources=sources,
        reading=PackOptions(**{name: given[name] for name in _READING}),
        seeding=Seeding(given["torch_seed"], given["find_seed"] or 0),
        lossy=InferenceOptions(**{name: given[name] for name in _LOSSY if name in given}),
        metadata=given["metadata"] or {},
        base=given["base"],
        add_to=given.get("add_to"),
        max_bytes=given.get("max_bytes", DEFAULT_MAX_BYTES),
        include=given.get("include", ()),
        storing=Storing(given["seekable"]),
        verify=given["verify"],
    )
