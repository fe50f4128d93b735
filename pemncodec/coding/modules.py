"""The modules of coders, by their ids: those that the tables of `container.manifest.coder_table` name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType

from ..container.manifest.coder_table import Coder


class Modules(Mapping[int, ModuleType]):
    """A module for each coder of a table that codes a section by itself.

    Args:
        table: rows by id.
        package: where modules without a dot in their name are.
    """

    def __init__(self, table: Mapping[int, Coder], package: str) -> None:
        self._table = table
        self._package = package
        self._found: dict[str, ModuleType] = {}

    def __getitem__(self, number: int) -> ModuleType:
        row = self._table[number]
        if row.around:
            raise KeyError(number)
        module = self._found.get(row.module)
        if module is None:
            name = row.module if "." in row.module else f"{self._package}.{row.module}"
            module = self._found[row.module] = import_module(name)
        return module

    def __iter__(self) -> Iterator[int]:
        return (number for number, row in self._table.items() if not row.around)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def in_order(self) -> list[int]:
        """Return the ids that an encoder tries, in this order."""
        placed = [(row.tried, number) for number, row in self._table.items() if row.tried is not None]
        return [number for _, number in sorted(placed)]
