"""Networks whose weights are random and whose masks are trained (Bai et al., NeurIPS 2022), and lottery tickets."""

from .batchnorm import recalibrate_batchnorm
from .density import erdos_renyi
from .lottery import lottery_ticket
from .masking import MaskedFill, Prototype, mask_network, set_keep
from .schedule import KeepSchedule

__all__ = [
    "KeepSchedule",
    "MaskedFill",
    "Prototype",
    "erdos_renyi",
    "lottery_ticket",
    "mask_network",
    "recalibrate_batchnorm",
    "set_keep",
]
