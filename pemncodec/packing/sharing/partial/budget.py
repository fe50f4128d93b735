"""A limit of what a search looks at: its cost is bounded whatever the input, and the same on every machine."""

from __future__ import annotations


class Budget:
    """A number of elements."""

    def __init__(self, elements: int) -> None:
        self._left = elements

    def spend(self, elements: int) -> bool:
        """Return whether there was so much left; it is gone then."""
        if elements > self._left:
            return False
        self._left -= elements
        return True
