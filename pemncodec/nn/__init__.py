"""Networks whose weights are random and whose masks are trained (Bai et al., NeurIPS 2022), and lottery tickets."""

from .batchnorm import recalibrate_batchnorm
from .lottery import lottery_ticket
from .masking import MaskedFill, Prototype, mask_network

__all__ = ["MaskedFill", "Prototype", "lottery_ticket", "mask_network", "recalibrate_batchnorm"]
