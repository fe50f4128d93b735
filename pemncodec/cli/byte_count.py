"""Sizes on the command line: `5GB`, `200MB`, plain bytes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import click

from ..errors.quoting import quoted

# As Hugging Face counts them: GB of 10^9 bytes, GiB of 2^30.
_UNITS = {"": 1, "B": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("KMGT", 1)
    for suffix, base in (("B", 1000), ("IB", 1024))
}
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*([A-Za-z]*)", re.ASCII)


class ByteCount(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """At least one byte: a number, and B, KB, MB, GB, TB or KiB, MiB, GiB, TiB in any case."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes; click reports anything else."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        unit = _UNITS.get(found[2].upper()) if found else None
        count = int(Decimal(found[1]) * unit) if found and unit else 0
        if count < 1:
            self.fail(f"{quoted(value)} is not a size of at least one byte: use 5GB, 200MB, or bytes", param, ctx)
        return count
