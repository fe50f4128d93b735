"""Models of transformers with their weights in `model.pemn`, beside the `config.json` of transformers."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..coding.delta.base_files import BaseFiles
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..errors import CheckpointError, MissingPackageError, UnreadableCheckpointError
from ..errors.quoting import quoted
from ..loading.file import PemnFile
from ..loading.load_model import load_model
from ..packing.report import PackReport
from ..packing.save import save_file
from .empty import empty_parameters
from .folder import CONFIG, MODEL, read_config, written
from .options import only_packing
from .ties import Ties

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_GENERATION = "generation_config.json"


def save_pretrained(model: PreTrainedModel, folder: str | os.PathLike[str], **options: Any) -> PackReport:
    """Write a model of transformers to a folder: `config.json` and `model.pemn`, both of them or none.

    Other files in the folder (tokenizer, `generation_config.json`, `model.safetensors`) stay as they are.

    Args:
        model: of a class of transformers; pruned or masked, or dense.
        folder: made if it is not there.
        options: of packing, as for `save_file`: `keep`, `family`, `base`, `verify`, …

    Returns:
        The report of packing.

    Raises:
        MissingPackageError: transformers is not installed.
        CheckpointError: the class is not one of transformers, or the model cannot be packed.
        MismatchError: `load_pretrained` would not make a model that the file fits (adapters, quantized weights).
        OutputError: the folder cannot be written.
    """
    packing = only_packing(options, "save_pretrained")
    kind = type(model)
    if getattr(_transformers(), kind.__name__, None) is not kind:
        raise CheckpointError(
            f"{quoted(kind.__name__)} is no class of transformers: save the model inside its wrapper, or use the mixin"
        )
    config = copy.deepcopy(model.config)
    config.architectures = [kind.__name__]
    config.dtype = str(model.dtype).removeprefix("torch.")
    with written(Path(folder)) as temporary:
        try:
            config.save_pretrained(temporary)
        except Exception as reason:
            raise CheckpointError(f"transformers refuses the configuration: {reason}") from None
        report = save_file(model, temporary / MODEL, **packing)
        made = _empty(temporary)
        with PemnFile(temporary / MODEL, base=packing.get("base")) as file:
            Ties(made, file, Path(folder) / MODEL)
    return report


def load_pretrained(
    folder: str | os.PathLike[str],
    *,
    layout: Literal["dense", "packed"] = "dense",
    task: str | None = None,
    base: BaseFiles = None,
    verify: bool = False,
    max_bytes: int = DEFAULT_MAX_BYTES,
    threads: int | None = None,
) -> PreTrainedModel:
    """Return the model of transformers in a folder with `config.json` and `model.pemn`, in evaluation mode.

    Its class is the first of `architectures` in `config.json`, and always one of transformers itself: no code from
    elsewhere runs, and nothing is downloaded. The model is made without memory for its parameters, which are those of
    the file, with their dtypes. What the class ties stays tied, except for tensors that the file holds with different
    values. `generation_config.json` is read if it is there.

    Args:
        folder: local. `huggingface_hub.snapshot_download` returns one for a repository.
        layout, task, base, verify, max_bytes, threads: as for `load_model`.

    Raises:
        MissingPackageError: transformers is not installed.
        FileAccessError: `config.json` or `model.pemn` is missing.
        UnreadableCheckpointError: `config.json` is damaged, names no class of transformers, or asks for code from
            elsewhere; or transformers refuses its values.
        MismatchError: the file does not fit the model.
        FormatError, NotFoundError, BaseFileError: as `load_file`.
    """
    folder = Path(folder)
    model = _empty(folder)
    path = folder / MODEL
    with PemnFile(path, task=task, base=base, max_bytes=max_bytes) as file:
        ties = Ties(model, file, path)
        ties.cut()
    load_model(
        model,
        path,
        strict=False,  # names were compared; those that are tied to others may be absent
        assign=True,
        layout=layout,
        verify=verify,
        task=task,
        max_bytes=max_bytes,
        base=base,
        threads=threads,
    )
    ties.tie()
    if model.can_generate() and os.path.lexists(folder / _GENERATION):
        model.generation_config = _generation(folder)
    model.eval()
    return model


def _transformers() -> Any:
    try:
        import transformers
    except ModuleNotFoundError as reason:
        raise MissingPackageError(f"this needs the package {reason.name}: pip install transformers") from None
    return transformers


def _empty(folder: Path) -> PreTrainedModel:
    """Return the model that `config.json` describes; its parameters are on the meta device."""
    described = read_config(folder)
    where = folder / CONFIG
    kind = _class(described, where)
    _refuse_code(described, where)
    try:
        config = kind.config_class.from_dict(described)
        with empty_parameters():
            # As AutoModel.from_config does: the constructor alone would not set the dtype.
            model: PreTrainedModel = kind._from_config(config)
    except Exception as reason:
        raise UnreadableCheckpointError(f"{where} makes no {quoted(kind.__name__)}: {reason}") from reason
    return model


def _class(described: Mapping[str, Any], where: Path) -> Any:
    """Return the class that a configuration names."""
    transformers = _transformers()
    names = described.get("architectures")
    if not isinstance(names, list) or not names or not isinstance(names[0], str):
        raise UnreadableCheckpointError(f"{where} names no class: 'architectures' must be a list of one name")
    found = getattr(transformers, names[0], None) if names[0].isidentifier() else None
    if not isinstance(found, type) or not issubclass(found, transformers.PreTrainedModel):
        raise UnreadableCheckpointError(
            f"{where}: {quoted(names[0])} is no model class of transformers {transformers.__version__}"
        )
    of = getattr(getattr(found, "config_class", None), "model_type", None)
    if described.get("model_type") != of:
        raise UnreadableCheckpointError(
            f"{where}: model_type is {quoted(described.get('model_type'))}, but {names[0]} has {quoted(of)}"
        )
    return found


def _refuse_code(value: Any, where: Path) -> None:
    """Refuse names of implementations that transformers would download."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        if isinstance(key, str) and "implementation" in key and "/" in str(each):
            raise UnreadableCheckpointError(f"{where}: {quoted(key)} asks for code from elsewhere: remove it")
        _refuse_code(each, where)


def _generation(folder: Path) -> Any:
    try:
        return _transformers().GenerationConfig.from_pretrained(str(folder), local_files_only=True)
    except Exception as reason:
        raise UnreadableCheckpointError(f"{folder / _GENERATION} cannot be used: {reason}") from None
