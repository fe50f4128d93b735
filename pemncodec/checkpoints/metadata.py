"""The `pemn.` keys of a file (spec section 10): the one place that writes them, and, with `kept`, that reads them.

What a file says there is a stranger's: `read` checks every value before anything is done with it. A new detail of a
layout is a line in `DETAILS`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..common import strict_json
from ..common.dtypes import BY_NAME
from ..common.plain_names import is_plain_path
from ..container.manifest.rows import BASE_KEY, MAX_DIMS, MAX_NAME
from ..errors import MaskRuleError, MetadataError, UnknownLayoutError
from ..errors.quoting import quoted
from . import kept
from .options import RULES, TENSOR_DTYPES, Keep, is_eps

if TYPE_CHECKING:
    from .draft import Draft

RESERVED = "pemn."
FAMILY, MASK_RULE, KEEP, THRESHOLD = "pemn.layout", "pemn.mask_rule", "pemn.keep", "pemn.threshold"
# What a file means that has neither key, and no masks but bool tensors: a state_dict as it is.
_BOOLS = {FAMILY: "dense", MASK_RULE: "none"}
ORIGINAL, DROPPED, BASE = "pemn.original", "pemn.dropped", BASE_KEY
FOLD_BATCHNORM, TENSOR_DTYPE = "pemn.fold_batchnorm", "pemn.tensor_dtype"

# Keys of `Draft.original`: each task was a checkpoint of its own; what differs between them; their fractions.
SEPARATE, OF_TASK, KEEP_OF_TASK = "separate", "of", "keep"

MASK_RULES = (*RULES, "explicit", "nonzero", "none", "")
# Patterns are matched with the name of every layer: so many characters of them, all told.
MAX_PATTERNS = 16_384
# e8m0 has no zero, and torch makes nothing of fp4.
_FLAGS = tuple(name for name in BY_NAME if name not in ("float8_e8m0fnu", "float4_e2m1fn_x2"))
_SCORES = tuple(name for name in _FLAGS if BY_NAME[name].kind != "complex")
_INTEGERS = tuple(name for name, dtype in BY_NAME.items() if dtype.kind == "int")
_DIGEST = re.compile("[0-9a-f]{64}")


class Rule(NamedTuple):
    """A condition on a value, in words and as a test."""

    says: str
    holds: Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value.encode(errors="replace")) <= MAX_NAME


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_key(value: object) -> bool:
    return _is_text(value) or _is_integer(value)


def _is_path_of_keys(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_key, value))


def _is_fraction(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 < value <= 1


def _by_name(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def all_hold(value: object) -> bool:
        return isinstance(value, dict) and all(_is_text(name) and holds(item) for name, item in value.items())

    return all_hold


def _list_of(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(holds, value))


def _is_fractions(value: object) -> bool:
    if not isinstance(value, dict):
        return _is_fraction(value)
    return _by_name(_is_fraction)(value) and sum(map(len, filter(Keep.is_wildcard, value))) <= MAX_PATTERNS


def _is_shape(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MAX_DIMS and all(_is_integer(dim) and dim >= 0 for dim in value)


_NAMES = Rule("a list of names", _list_of(_is_text))
_PREFIX = Rule("a string", lambda value: _is_text(value) and "\0" not in value)
_BOOL = Rule("true or false", lambda value: isinstance(value, bool))
_FILE = Rule("a plain file name, or several joined by slashes", is_plain_path)
_FOLDER = Rule("a plain folder name", lambda value: is_plain_path(value) and "/" not in value)
_INTEGER_DTYPE = Rule("an integer dtype", lambda value: isinstance(value, str) and value in _INTEGERS)
_FRACTIONS = Rule(
    f"a fraction in (0, 1], or fractions by pattern (of at most {MAX_PATTERNS} characters)", _is_fractions
)

# What `Draft.original` may hold: what else a layout needs to be written again, all of it optional.
DETAILS: Mapping[str, Rule] = MappingProxyType(
    {
        "under": Rule("a string or an integer", _is_key),  # the key of the checkpoint that held the state_dict
        "masks_under": Rule("a string, an integer or null", lambda value: value is None or _is_key(value)),
        "prefix": _PREFIX,  # that was stripped from all names
        "suffix": _PREFIX,  # of names, that the layout does not have
        "mask": Rule("a dtype of masks", lambda value: isinstance(value, str) and value in _FLAGS),
        "scores": Rule("a dtype of scores", lambda value: isinstance(value, str) and value in _SCORES),
        "shape": _INTEGER_DTYPE,
        "row_offsets": _INTEGER_DTYPE,
        "folder": _FOLDER,
        "model": _FILE,
        "parallel": _BOOL,
        "b_mask": _BOOL,
        "bernoulli": Rule("fractions by name", _by_name(_is_fraction)),
        "index": Rule("integers by name", _by_name(_is_integer)),
        "groups": Rule("a list of paths: lists of strings and integers", _list_of(_is_path_of_keys)),
        "arrays": _NAMES,  # of what was a numpy array
        "integers": _NAMES,  # of what had an integer as its key
        "names": Rule("names by name", _by_name(_is_text)),  # of masks that are called otherwise than usual
        "broadcast": Rule("shapes by name", _by_name(_is_shape)),  # of masks that were smaller than their weights
        "inverted": _BOOL,  # masks had 1 where a weight is pruned
        "halves": _NAMES,  # of layers that keep two of any four
        "shape_columns": _BOOL,  # shapes were stored as columns
        "task_masks": Rule("a string", _is_text),  # the key of the masks of tasks
        "integer_tasks": _BOOL,
        "places": Rule("integers by name", _by_name(_is_integer)),  # of modules, in the place of names
    }
)


@dataclass(frozen=True)
class Metadata:
    """The `pemn.` metadata of a file, checked.

    Attributes:
        family: of the checkpoint that was packed; any string, `""` where the file does not say it.
        mask_rule: one of `MASK_RULES`; `""` where the file does not say it.
        keep: the fraction kept that the rule was given, or fractions by pattern, or None.
        threshold: the number that the rule was given, or None; finite.
        details: what else the layout needs, by the keys of `DETAILS`.
        separate: whether each task was a checkpoint of its own.
        of_task: details of single tasks.
        keep_of_task: their fractions.
        dropped: what was in the checkpoint and is not in the file.
        eps: of all BatchNorms that were folded, or of each by its prefix; None: none was.
        tensor_dtype: what tensors were rounded to, one of `options.TENSOR_DTYPES`; None: none was.
        base: of a delta, the SHA-256 of its base.
    """

    family: str = ""
    mask_rule: str = ""
    keep: float | dict[str, float] | None = None
    threshold: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    separate: bool = False
    of_task: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keep_of_task: Mapping[str, float | dict[str, float] | None] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    eps: float | dict[str, float] | None = None
    tensor_dtype: str | None = None
    base: str | None = None

    def for_task(self, task: str | None) -> Metadata:
        """Return what is said of one task; all of it where there is none."""
        if task is None:
            return self
        details = {**self.details, **self.of_task.get(task, {})}
        return replace(self, details=details, keep=self.keep_of_task.get(task, self.keep))


def read(metadata: Mapping[str, str], only_bools: bool = False) -> Metadata:
    """Read the `pemn.` keys; other keys are the user's, and unknown ones are left to newer versions.

    Args:
        only_bools: whether bool tensors are the only masks of the file: it is `dense` then unless it says more.

    Raises:
        MetadataError: a value is none of those that `Metadata` and `DETAILS` name.
    """
    details = dict(_json(metadata, ORIGINAL, Rule("an object", lambda value: isinstance(value, dict)), {}))
    separate = _taken(details, SEPARATE, _BOOL, False)
    of_task = _taken(details, OF_TASK, Rule("details by task", _by_name(lambda value: isinstance(value, dict))), {})
    keep_of_task = _taken(
        details,
        KEEP_OF_TASK,
        Rule("fractions by task", _by_name(lambda value: value is None or _is_fractions(value))),
        {},
    )
    for found in (details, *of_task.values()):
        _check_details(found)
    if only_bools and FAMILY not in metadata and MASK_RULE not in metadata:
        metadata = {**_BOOLS, **metadata}
    return Metadata(
        family=metadata.get(FAMILY, ""),
        mask_rule=_checked(MASK_RULE, metadata.get(MASK_RULE, ""), Rule("a known rule", MASK_RULES.__contains__)),
        keep=_json(metadata, KEEP, _FRACTIONS, None),
        threshold=_threshold(metadata),
        details=details,
        separate=separate,
        of_task=of_task,
        keep_of_task=keep_of_task,
        dropped=tuple(_json(metadata, DROPPED, Rule("a list of strings", _list_of(lambda v: isinstance(v, str))), [])),
        eps=_json(metadata, FOLD_BATCHNORM, _FOLDED, {"eps": None})["eps"],
        tensor_dtype=_json(metadata, TENSOR_DTYPE, _ROUNDED, {"dtype": None})["dtype"],
        base=_checked(BASE, metadata[BASE], Rule("a SHA-256", lambda v: bool(_DIGEST.fullmatch(v))))
        if BASE in metadata
        else None,
    )


def write(draft: Draft) -> dict[str, str]:
    """The `pemn.` keys for a draft; `read` takes them.

    Raises:
        UnknownLayoutError: a detail of the layout cannot be said: the state_dict stands under a key that is neither a
            string nor an integer, or a file of the checkpoint has no plain name.
        MaskRuleError: the fractions have too many patterns.
    """
    shared = {key: value for key, value in draft.original.items() if key not in (SEPARATE, OF_TASK, KEEP_OF_TASK)}
    for details in (shared, *draft.original.get(OF_TASK, {}).values()):
        for key, value in details.items():
            if not DETAILS[key].holds(value):
                says = DETAILS[key].says
                raise UnknownLayoutError(f"{key!r} of the checkpoint is {quoted(value)}, and must be {says}")
    for keep in (draft.keep, *draft.original.get(KEEP_OF_TASK, {}).values()):
        if keep is not None and not _is_fractions(keep):
            raise MaskRuleError(f"keep has patterns of more than {MAX_PATTERNS} characters in all: use fewer")
    own = {FAMILY: draft.family, MASK_RULE: draft.mask_rule}
    if own == _BOOLS and draft.only_bools:
        own = {}  # as `read` says: a message of masks has no byte to spare
    if draft.keep is not None:
        own[KEEP] = strict_json.write(draft.keep)
    if draft.threshold is not None:
        own[THRESHOLD] = repr(float(draft.threshold))
    if draft.original:
        own[ORIGINAL] = strict_json.write(_sorted(draft.original))
    if draft.dropped:
        own[DROPPED] = strict_json.write(draft.dropped)
    own |= kept.write(draft.safetensors, draft.files)
    return own | {conversion.key: conversion.value for conversion in draft.conversions}


# --- one value ------------------------------------------------------------------------------------------------


def _is_folded(value: object) -> bool:
    if not isinstance(value, dict) or "eps" not in value:
        return False
    eps = value["eps"]
    return _by_name(is_eps)(eps) if isinstance(eps, dict) else is_eps(eps)


_FOLDED = Rule("an object with an eps, or eps by prefix, in [0, 1]", _is_folded)
_ROUNDED = Rule(
    f"an object with a dtype, {' or '.join(TENSOR_DTYPES)}",
    lambda value: isinstance(value, dict) and value.get("dtype") in list(TENSOR_DTYPES),
)


def _json(metadata: Mapping[str, str], key: str, rule: Rule, otherwise: Any) -> Any:
    if key not in metadata:
        return otherwise
    try:
        # errors of a conversion may be infinite, and are for the user only
        value = strict_json.parse(metadata[key], infinite=key in (FOLD_BATCHNORM, TENSOR_DTYPE))
    except ValueError as reason:
        raise MetadataError(
            f"metadata {key!r} is {quoted(metadata[key])}, which is not JSON: {reason}{_REST}"
        ) from None
    return _checked(key, value, rule)


_REST = "; the file still loads as 'dense'"


def _checked(key: str, value: Any, rule: Rule) -> Any:
    if not rule.holds(value):
        raise MetadataError(f"metadata {key!r} is {quoted(value)}, and must be {rule.says}{_REST}")
    return value


def _threshold(metadata: Mapping[str, str]) -> float | None:
    rule = Rule("a number", lambda value: _is_integer(value) or (isinstance(value, float) and math.isfinite(value)))
    value = _json(metadata, THRESHOLD, rule, None)
    return None if value is None else float(value)


def _taken(details: dict[str, Any], key: str, rule: Rule, otherwise: Any) -> Any:
    return _checked(f"{ORIGINAL}: {key}", details.pop(key), rule) if key in details else otherwise


def _check_details(details: Mapping[str, Any]) -> None:
    for key, value in details.items():
        if key not in DETAILS:
            raise MetadataError(
                f"metadata {ORIGINAL!r} has {quoted(key)}, which this pemncodec does not know: install a newer one"
            )
        _checked(f"{ORIGINAL}: {key}", value, DETAILS[key])


def _sorted(value: Any) -> Any:
    """The same value with the keys of all objects in order, as files always had them."""
    if isinstance(value, dict):
        # of fractions by pattern the first that matches counts
        return {key: value[key] if key == KEEP_OF_TASK else _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value
