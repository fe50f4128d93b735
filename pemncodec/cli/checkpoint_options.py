"""Options of reading a checkpoint: those of `pack`, and of `verify --against`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..checkpoints.options import Keep, PackOptions
from ..common import strict_json
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..errors import MaskRuleError
from ..errors.quoting import quoted
from .derived import options_of

if TYPE_CHECKING:
    from ..checkpoints.reading.load import CheckpointFile

F = TypeVar("F", bound=Callable[..., Any])

_KEEP_FROM = click.option(
    "--keep-from",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='JSON file of fractions by pattern: {"layer1.*": 0.3, "*": 0.5}.',
)
_NO_CHECKSUMS = click.option(
    "--no-checksums",
    is_flag=True,
    help="Do not check the CRC-32 of the records in an archive (torch.serialization.set_crc32_options(False)).",
)
_UNSAFE = click.option(
    "--unsafe-pickle",
    is_flag=True,
    help="Read a checkpoint that carries more than tensors. This runs code from it: use it only for files you trust.",
)
_FIRST, *_OTHERS = (one.name for one in fields(PackOptions) if one.name != "strip_prefix")


@dataclass(frozen=True)
class Reading:
    """The options, checked; other files are not read yet.

    Attributes:
        options: without the tensors of other files.
        masks, backbone: where these are.
        unsafe: whether code in checkpoints may run.
        checksums: whether those of archives are checked.
        given: whether any option was given.
    """

    options: PackOptions
    masks: Path | None
    backbone: Path | None
    unsafe: bool
    checksums: bool
    given: bool

    def file(self, path: Path, max_bytes: int = DEFAULT_MAX_BYTES) -> CheckpointFile:
        """A checkpoint that is read as these options say; `max_bytes` as for `load_checkpoint`."""
        from ..checkpoints.reading.load import CheckpointFile

        return CheckpointFile(path, self.unsafe, self.checksums, max_bytes)

    def loaded(self, max_bytes: int = DEFAULT_MAX_BYTES) -> PackOptions:
        """With the tensors of other files. Raises CheckpointError where one cannot be read."""
        masks = None if self.masks is None else self.load(self.masks, max_bytes)
        backbone = None if self.backbone is None else self.load(self.backbone, max_bytes)
        return replace(self.options, masks=masks, backbone=backbone)

    def load(self, path: Path, max_bytes: int = DEFAULT_MAX_BYTES) -> Any:
        """A checkpoint, read as these options say; `max_bytes` as for `load_checkpoint`."""
        return self.file(path, max_bytes).load()


def options(command: F) -> F:
    """Give a command these options; it gets them as `**reading`, for `read`."""
    command = _NO_CHECKSUMS(_UNSAFE(command))
    return options_of(PackOptions, _FIRST)(_KEEP_FROM(options_of(PackOptions, *_OTHERS)(command)))


def read(
    keep: tuple[str, ...],
    keep_from: Path | None,
    masks: Path | None,
    backbone: Path | None,
    unsafe_pickle: bool,
    no_checksums: bool,
    **others: Any,
) -> Reading:
    """Check the options; `others` are those of `PackOptions` that are taken as they are.

    Raises:
        MaskRuleError: a fraction, or a file of fractions, is invalid.
    """
    given = PackOptions(keep=_fractions(keep, keep_from), **others)
    any_given = given != PackOptions() or unsafe_pickle or no_checksums or masks is not None or backbone is not None
    return Reading(given, masks, backbone, unsafe_pickle, not no_checksums, any_given)


def _fractions(keep: tuple[str, ...], keep_from: Path | None) -> float | dict[str, float] | None:
    by_pattern: dict[str, float] = {}
    everything: float | None = None
    for text in keep:
        pattern, separator, number = text.rpartition("=")
        try:
            fraction = float(number)
        except ValueError:
            raise click.BadParameter(f"{quoted(text)} is neither K nor PATTERN=K", param_hint="--keep") from None
        if not separator:
            if everything is not None:
                raise click.BadParameter("pass one fraction for all other layers, not several", param_hint="--keep")
            everything = fraction
        else:
            by_pattern[pattern] = fraction
    if keep_from is not None:
        by_pattern |= {name: value for name, value in _from_file(keep_from).items() if name not in by_pattern}
    if not by_pattern:
        return everything
    return by_pattern | ({} if everything is None else {"*": everything})


def _from_file(path: Path) -> dict[str, float]:
    try:
        if path.exists() and not path.is_file():
            raise MaskRuleError(f"{path} is not a file: write the fractions to a file")
        found = strict_json.parse(path.read_text())
    except OSError as reason:
        raise MaskRuleError(f"{path} cannot be read: {reason.strerror}") from None
    except ValueError as reason:
        raise MaskRuleError(f"{path} is not JSON: {reason}") from None
    if not isinstance(found, dict) or not found:
        raise MaskRuleError(f'{path} holds no fractions by pattern: write {{"layer1.*": 0.3, "*": 0.5}}')
    try:
        Keep.of(found)
    except MaskRuleError as reason:
        raise MaskRuleError(f"{path}: {reason}") from None
    return found
