"""The valid vectors for block coder 5, grouped planes, beside other coders and with several users: section 6.1.

The content is that of vectors of before, or stated by hand, never read from a payload.
"""

from __future__ import annotations

import numpy as np
from vector_cases_arranged import demand
from vector_cases_grouped import group, noise, since_2
from vector_cases_layers import HALF, MINUS, ONE, TWO, u4
from vector_cases_rans import EACH
from vector_cases_rans import noise as some_bits
from vector_cases_rotated import AGAIN, WIDTHS, turn
from vector_cases_valid import VALID, Valid, blobs, expect, one, valid
from vector_coders import PALETTE, PLANES, RAW, ZSTD, D, frame, palette, planes
from vector_grouped import GROUPED_PLANES, byte_string, fitted, grouped, in_turn, parts
from vector_rans import rans_mask
from vector_writer import Block, File, Values, kept, mask, tensor, tiled


@valid
def minor_2_without_its_ids() -> Valid:
    """Minor 2 although nothing in the file came with it: higher than need be, which is no error."""
    return since_2(VALID["generator_layers"]())


@valid
def minor_2_with_ids_of_1() -> Valid:
    """Minor 2, and of the ids only some that came with minor 1: generator 2."""
    return since_2(VALID["arranged_layers"]())


@valid
def grouped_beside_others() -> Valid:
    """The same elements by coders 0 to 5."""
    rows = []
    for size, dtype in WIDTHS.items():
        values = [noise(size, f"{size} {i}") for i in range(3)]
        values.sort(key=lambda value: int.from_bytes(value, "little"))
        indices = [2, 0, 1, 1, 2, 0, 2]
        data = b"".join(values[i] for i in indices)
        rows += [(dtype, RAW, data, data), (dtype, ZSTD, frame(data), data)]
        rows.append((dtype, PLANES, planes(data, size, [0, 1] * (size // 2) or [0]), data))
        rows += [(dtype, PALETTE, palette(values, indices, 0), data), turn(dtype, data), group(dtype, data)]
    return since_2(blobs(*rows))


def recoded(base: str, shift: int) -> Valid:
    """A vector of before whose blocks, raw ones, are grouped planes, but those of no elements."""
    case = VALID[base]()
    for i, old in enumerate(case.file.blocks):
        assert isinstance(old.dtype, D)
        demand(old.coder == RAW, "a block of another coder")
        if old.payload:
            dtype, coder, payload, _ = group(old.dtype, old.payload, shift=i + shift)
            case.file.blocks[i] = Block(dtype, coder, payload)
    return since_2(case)


for number, name in enumerate(AGAIN):

    def again(base: str = name, shift: int = number) -> Valid:
        """The vector of this name without grouped_, its blocks by coder 5."""
        return recoded(base, shift)

    again.__name__ = f"grouped_{name}"
    valid(again)


@valid
def grouped_users() -> Valid:
    """A block of a prototype, a partial one, kept layers and tensors; their masks by coders of minor 1 as well."""
    nan = 0xFFC12345
    users = [u4(ONE, MINUS, nan), u4(0xC0400000, 0), u4(HALF), u4(nan, MINUS), u4(), u4(0, MINUS, TWO)]
    data = b"".join(part.tobytes() for part in users)
    file = File(masks=[mask("01001"), mask("10010"), mask("1101011"), mask("10111"), mask("001")])
    strings = parts(data, 4)
    hows = [fitted(strings[0], 2, 3), *in_turn(strings[1:-2]), fitted(strings[-2], 0, 2), 0]
    file.blocks = [Block(D.FLOAT32, GROUPED_PLANES, b"".join(map(byte_string, strings, hows)))]
    file.prototypes = [Values(3, 0), Values(5, 0, presence=0)]
    file.entries = [tensor("a", ()), kept("k", (5,), 1), tiled("w", (7,), 2, 0, 1), tensor("none", (0,))]
    file.entries += [tiled("n", (5,), 3, 0, zero=1), tensor("b", (3, 1)), tiled("p", (15,), 4, 1)]
    file.masks.append(rans_mask(some_bits(11, 99), *EACH[0]))
    ones = int(some_bits(11, 99).sum())
    file.blocks.append(Block(D.UINT8, GROUPED_PLANES, grouped(bytes(range(1, ones + 1)), 1)))
    file.masks.insert(2, file.masks.pop())  # kept layers come before tiled ones
    file.entries[2].mask, file.entries[4].mask, file.entries[6].mask = 3, 4, 5
    file.entries.append(kept("r", (11,), 2, 1))
    r = np.zeros(11, np.uint8)
    r[some_bits(11, 99)] = range(1, ones + 1)
    w = [MINUS, nan, 0, MINUS, 0, ONE, MINUS]  # of -0.0 NaN 1.0 ...
    n = [ONE, 0, nan, ONE, MINUS]  # a zero bit of -0.0 gives +0.0
    p = [0xC0400000 if i == 11 else 0 for i in range(15)]  # its bits are for 1, 6 and 11; 4, 9 and 14 are +0.0
    return since_2(
        one(
            file,
            expect("a", D.FLOAT32, (), users[2]),
            expect("k", D.FLOAT32, (5,), u4(nan, 0, 0, MINUS, 0)),
            expect("w", D.FLOAT32, (7,), u4(*w)),
            expect("none", D.FLOAT32, (0,), b""),
            expect("n", D.FLOAT32, (5,), u4(*n)),
            expect("b", D.FLOAT32, (3, 1), users[5]),
            expect("p", D.FLOAT32, (15,), u4(*p)),
            expect("r", D.UINT8, (11,), r),
        )
    )
