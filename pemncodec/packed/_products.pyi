"""Products of packed weights (`_products.c`); `products.py` imports them where they were built."""

from typing import Any

class Matrix:
    def __new__(
        cls,
        way: int,
        kind: int,
        rows: int,
        columns: int,
        bits: Any,
        first: Any,
        period: int,
        phase: int,
        second: Any,
        second_period: int,
        second_phase: int,
        starts: Any,
        scale: float,
        wide: bool,
        narrow: bool,
        rare: bool,
        most: int,
        /,
    ) -> Matrix: ...
    def multiply(self, out: Any, x: Any, batch: int, bias: Any, begin: int, end: int, threads: int, /) -> None: ...
    def hold(self, rows: Any, lanes: Any, /) -> None: ...
    def watch(self, tensors: tuple[Any, ...], /) -> None: ...

def bind(
    exchange: Any,
    tensor: Any,
    parameter: Any,
    empty: Any,
    is_grad_enabled: Any,
    get_num_threads: Any,
    /,
) -> bool: ...
def quick(arguments: tuple[Any, ...], /) -> Any: ...
def ways() -> list[tuple[str, int, int] | None]: ...
def shares() -> bool: ...
