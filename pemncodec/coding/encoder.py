"""`MaskedNetwork` -> bytes: number what is shared, group small arrays, code each the smallest way.

The result is a function of the network alone (spec section 11): everything is numbered in the order of
first use, and ties go to the lowest id.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..common.progress import Progress, silent
from ..container.manifest.rows import BASE_KEY, Manifest
from ..container.writer import EncodedFile, write_container
from ..network.model import KeptFill, Layer, MaskedNetwork, TileFill
from ..network.validation import check_network
from .blocks.encoded import EncodedBlocks
from .decoder import Decoder
from .delta.base_files import BaseFiles, Bases
from .delta.base_values import BaseValues
from .delta.matching import Against, OpenedBase
from .masks.encoded import EncodedMasks
from .rows import entry_rows, prototype_order, prototype_row

# What the name of a base takes in the manifest, about. A delta that saves less is none.
_BASE_BYTES = 80


def encode(network: MaskedNetwork, progress: Progress = silent, base: BaseFiles = None) -> bytes:
    """The bytes of a `.pemn` file; arguments and errors as `encode_file`."""
    return encode_file(network, progress, base=base).to_bytes()


def encode_file(
    network: MaskedNetwork, progress: Progress = silent, folder: Path | None = None, base: BaseFiles = None
) -> EncodedFile:
    """A `.pemn` file, ready to be written.

    Args:
        folder: where a temporary file may be for what would take much memory; by default there is none.
        base: another `.pemn` file, and what it needs itself. What is smaller as a difference from it is stored as one,
            and the file is a delta then (spec section 6.2); where that saves little, the file is complete in itself.

    Raises:
        NetworkError: the network contradicts itself or does not fit the format.
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
    """
    check_network(network)
    with open_base(base) as opened:
        encoded, saved = _encoded(network, progress, folder, opened)
    if 0 < saved <= _BASE_BYTES:
        return _encoded(network, progress, folder, None)[0]
    return encoded


@contextmanager
def open_base(given: BaseFiles) -> Iterator[OpenedBase | None]:
    """The base among the files that were given; the others are what it needs itself. None if there are no files.

    Raises:
        BaseFileError: it is not clear which one it is.
        FormatError, FileAccessError: a file cannot be read.
    """
    bases = Bases(given)
    try:
        file = bases.newest()
        if file is None:
            yield None
        else:
            yield OpenedBase(file.digest, BaseValues(Decoder(file.container, bases=bases), file.name))
    finally:
        bases.close()


def _encoded(
    network: MaskedNetwork, progress: Progress, folder: Path | None, base: OpenedBase | None
) -> tuple[EncodedFile, int]:
    """Return a file, and the bytes that differences from the base have saved; 0 if there are none."""
    against = Against(network, base)
    order = prototype_order(network)
    blocks = EncodedBlocks(network, order, against, folder)
    masks = EncodedMasks(network, against, folder)
    # Masks are numbered in the order in which the manifest refers to them: presence, kept, tiled.
    prototype_rows = [prototype_row(network, index, blocks, masks) for index in order]
    of_layers = _masks_of_layers(network, masks, progress)
    saved = blocks.saved + masks.saved
    # A delta names its base, and no other file does: the network may come from a delta.
    metadata = {key: value for key, value in network.metadata.items() if key != BASE_KEY}
    metadata |= {BASE_KEY: against.digest} if saved else {}
    manifest = Manifest(
        metadata=dict(sorted(metadata.items(), key=lambda pair: pair[0].encode())),
        tasks=tuple(network.tasks),
        masks=tuple(masks.rows),
        blocks=tuple(blocks.rows),
        prototypes=tuple(prototype_rows),
        entries=tuple(entry_rows(network, order, blocks, of_layers)),
    )
    return write_container(manifest, [masks.payloads, blocks.payloads]), saved


def _masks_of_layers(network: MaskedNetwork, masks: EncodedMasks, progress: Progress) -> dict[int, int]:
    """Return the number of the mask of each layer, by the index of its entry."""
    layers = [(index, entry) for index, entry in enumerate(network.entries) if isinstance(entry, Layer)]
    total, done = sum(layer.numel for _, layer in layers), 0
    numbers: dict[int, int] = {}
    for kind in (KeptFill, TileFill):
        for index, layer in layers:
            if isinstance(layer.fill, kind):
                progress(done, total, layer.name)
                numbers[index] = masks.of_layer(layer)
                done += layer.numel
    progress(done, total, "")
    return numbers
