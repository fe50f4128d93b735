"""Products of packed weights (`_products.c`); `products.py` imports them where they were built."""

from typing import Any

def ways() -> list[tuple[str, int, int] | None]: ...
def shares() -> bool: ...
def arrange(way: int, x: Any, vectors: int, columns: int, group: int, out: Any, /) -> None: ...
def multiply(
    way: int,
    kind: int,
    out: Any,
    x: Any,
    batch: int,
    vectors: int,
    rows: int,
    columns: int,
    begin: int,
    end: int,
    bits: Any,
    first: Any,
    period: int,
    phase: int,
    second: Any,
    second_period: int,
    second_phase: int,
    starts: Any,
    scale: float,
    bias: Any,
    order: int,
    group: int,
    threads: int,
    /,
) -> None: ...
