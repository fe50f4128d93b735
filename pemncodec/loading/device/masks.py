"""Masks: coded bytes to bits on a device (spec section 5).

rANS is decoded there. Raw and constant masks are bits as they come; zstd has no torch way, so those are decompressed on
the CPU and go as bits, too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch

from ...coding.decoder import Decoder
from ...coding.masks import rans_bytes, rans_gaps
from ...coding.masks.rans_gaps import CodedGaps
from ...coding.rans import Stream
from ...common import bits
from ...common.torch_tensors import integers
from ...container.manifest.coder_table import MASK_RANS_BYTES, MASK_RANS_GAPS_OF_ONES, MASK_RANS_GAPS_OF_ZEROS
from ...errors import PayloadError
from . import gaps, rans


@dataclass(frozen=True)
class CodedMask:
    """A mask whose payload has been read.

    Attributes:
        index: in the manifest.
        stream: what is decoded on the device; None where the CPU decodes the mask.
        gaps: what belongs to it, for masks by gaps.
    """

    index: int
    stream: Stream | None = None
    gaps: CodedGaps | None = None


def read(decoder: Decoder, index: int) -> CodedMask:
    """The payload of a mask, its sizes checked.

    Raises:
        LimitError: the mask is larger than `max_bytes`.
        ChecksumError: its bytes are damaged.
    """
    row = decoder.manifest.masks[index]
    try:
        if row.coder == MASK_RANS_BYTES:
            return CodedMask(index, rans_bytes.stream(decoder.mask_payload(index), row.length))
        if row.coder in (MASK_RANS_GAPS_OF_ONES, MASK_RANS_GAPS_OF_ZEROS):
            count = row.ones if row.coder == MASK_RANS_GAPS_OF_ONES else row.length - row.ones
            coded = rans_gaps.read(decoder.mask_payload(index), row.length, count)
            return CodedMask(index, coded.high, coded)
    except PayloadError:  # the CPU's decoder raises it again, and says which mask it is
        pass
    return CodedMask(index)


class Batch:
    """Masks that will be decoded together.

    Attributes:
        coded: by index.
        cost: bytes on the device, about, that decoding them takes.
    """

    def __init__(self) -> None:
        self.coded: dict[int, CodedMask] = {}
        self.cost = gaps.COST
        self._models: set[int] = set()

    def add(self, decoder: Decoder, index: int) -> None:
        """Read one more, if it is not there; errors as `read`."""
        if index in self.coded:
            return
        mask = self.coded[index] = read(decoder, index)
        self.cost += bits.byte_length(decoder.manifest.masks[index].length)
        if mask.stream is not None:
            self.cost += rans.cost(mask.stream) + rans.MODEL_COST * (id(mask.stream.model) not in self._models)
            self._models.add(id(mask.stream.model))


def decode(decoder: Decoder, coded: Collection[CodedMask], device: torch.device) -> dict[int, torch.Tensor]:
    """The bits of masks by their index: bits in bytes, uint8, shape (ceil(length / 8),), on `device`.

    Raises:
        PayloadError: a payload does not give the bits that the manifest announces.
        LimitError, ChecksumError: as `read`.
    """
    by_rans = [mask for mask in coded if mask.stream is not None]
    decoded, good = _by_rans(decoder, by_rans, device) if by_rans else ({}, {})
    for mask in coded:
        if not good.get(mask.index):
            # What the device could not decode the CPU cannot either, and says why.
            decoded[mask.index] = integers(decoder.mask(mask.index)).to(device)
    return decoded


def _by_rans(
    decoder: Decoder, coded: Sequence[CodedMask], device: torch.device
) -> tuple[dict[int, torch.Tensor], dict[int, bool]]:
    """The bits by index, and whether they are what the manifest says."""
    contents, ended_well = rans.decode([mask.stream for mask in coded if mask.stream is not None], device)
    decoded: dict[int, torch.Tensor] = {}
    fitting: list[torch.Tensor] = []
    for mask, content in zip(coded, contents, strict=True):
        row = decoder.manifest.masks[mask.index]
        if mask.gaps is not None:
            bit = row.coder == MASK_RANS_GAPS_OF_ONES
            count = row.ones if bit else row.length - row.ones
            decoded[mask.index], fits = gaps.to_bits(content, mask.gaps, row.length, count, bit)
        else:
            decoded[mask.index], fits = content, _count_ones(content) == row.ones
            if row.length % 8:
                fits &= content[-1] >> row.length % 8 == 0
        fitting.append(fits)
    good = (torch.stack(fitting) & ended_well).tolist()  # the only wait for the device
    return decoded, {mask.index: fits for mask, fits in zip(coded, good, strict=True)}


def _count_ones(packed: torch.Tensor) -> torch.Tensor:
    """Number of one bits, int64, shape ()."""
    pairs = packed - ((packed >> 1) & 0x55)
    fours = (pairs & 0x33) + ((pairs >> 2) & 0x33)
    return ((fours + (fours >> 4)) & 0x0F).sum(dtype=torch.int64)


def unpack(packed: torch.Tensor, start: int, stop: int) -> torch.Tensor:
    """Bits start … stop − 1, bool; start is a multiple of 8."""
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    flags = (packed[start // 8 : bits.byte_length(stop), None] >> shifts) & 1
    return flags.reshape(-1)[: stop - start].to(torch.bool)
