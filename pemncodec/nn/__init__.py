"""Networks whose weights are random and whose masks are trained (PEMN, Bai et al., NeurIPS 2022)."""

from .masking import MaskedFill, Prototype, mask_network

__all__ = ["MaskedFill", "Prototype", "mask_network"]
