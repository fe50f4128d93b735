"""Write the quantile table of the normal generator (spec section 8.3), in 60-digit arithmetic.

Run by hand, once; the table is part of the format and never changes:

    python spec/make_normal_table.py
"""

from __future__ import annotations

import zlib
from pathlib import Path

import mpmath

ROOT = Path(__file__).resolve().parent.parent
TARGETS = (ROOT / "spec" / "normal-table.txt", ROOT / "pemncodec" / "generators" / "philox" / "normal-table.txt")


def quantile(j: int) -> int:
    """T[j]: the z that |N(0, 1)| exceeds with probability p(j), in units of 2^-28."""
    p = mpmath.mpf(32 + j % 32) * mpmath.mpf(2) ** (j // 32 - 37)
    z = mpmath.sqrt(2) * mpmath.erfinv(1 - p)
    return int(mpmath.nint(z * 2**28))


def main() -> None:
    """Write both copies, and print the CRC-32 for the spec."""
    mpmath.mp.dps = 60
    table = [quantile(j) for j in range(1025)]
    rows = [" ".join(f"{value:08x}" for value in table[i : i + 12]) for i in range(0, len(table), 12)]
    for target in TARGETS:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(rows) + "\n")
    print(f"{zlib.crc32(b''.join(v.to_bytes(4, 'little') for v in table)):08x}")


if __name__ == "__main__":
    main()
