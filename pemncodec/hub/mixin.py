"""A mixin for models that are saved to a folder or to the Hub as `model.pemn`, and loaded from there."""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch

from ..coding.delta.base_files import BaseFiles
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..errors import CheckpointError, FileAccessError, UnreadableCheckpointError
from ..errors.quoting import quoted
from ..packing.save import save_file
from . import library
from .card import TEMPLATE, facts
from .filling import filled
from .folder import CONFIG, MODEL, read_config, written
from .library import ModelHubMixin
from .options import only_packing

T = TypeVar("T", bound="PemnModelHubMixin")


@dataclass
class _Transfer:
    """Arguments that go around methods of the library, which do not pass them on, and facts that come back.

    Attributes:
        packing: keywords of `save_file`.
        loading: keywords of `filled`.
        facts: about the file that was written.
    """

    packing: Mapping[str, Any] = field(default_factory=dict)
    loading: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


_TRANSFER: ContextVar[_Transfer] = ContextVar("_TRANSFER")


@contextmanager
def _passing(transfer: _Transfer) -> Iterator[None]:
    token = _TRANSFER.set(transfer)
    try:
        yield
    finally:
        _TRANSFER.reset(token)


class PemnModelHubMixin(ModelHubMixin, library_name="pemncodec", tags=["pemn"], model_card_template=TEMPLATE):
    """Mixin of `huggingface_hub` for `torch.nn.Module`s whose weights are stored as `model.pemn`.

    A folder, and a repository, has `model.pemn`, the arguments of `__init__` that JSON can hold as `config.json`, and a
    model card with the sizes. Arguments of the class statement (`tags`, `license`, `coders`, …) are those of
    `huggingface_hub.ModelHubMixin`.

    Example:
        >>> class Net(torch.nn.Module, PemnModelHubMixin):
        ...     def __init__(self, width: int = 64): ...
        >>> Net(width=128).save_pretrained("folder")
        >>> Net.from_pretrained("folder")
    """

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        *,
        config: Any = None,
        repo_id: str | None = None,
        push_to_hub: bool = False,
        model_card_kwargs: dict[str, Any] | None = None,
        **options: Any,
    ) -> str | None:
        """Write `model.pemn`, `config.json` and a model card to a folder: all of them, or none.

        A `README.md` that is there stays.

        Args:
            save_directory: made if it is not there.
            config: a dictionary or dataclass for `config.json`; by default the arguments of `__init__`. If there is
                neither, no `config.json` is written.
            repo_id: for `push_to_hub`; by default the name of the folder.
            push_to_hub: push the model as well, as the method of this name does.
            model_card_kwargs: variables of the template of the model card.
            options: of packing, as for `save_file`: `keep`, `family`, `base`, `verify`, …; with `push_to_hub` also
                those of that method.

        Returns:
            The URL of the commit if it was pushed, else None.

        Raises:
            CheckpointError, NetworkError, MismatchError: the model cannot be packed.
            OutputError: the folder cannot be written.
            TypeError: an unknown keyword.
        """
        pushing = {name: options.pop(name) for name in _PUSHING & options.keys()} if push_to_hub else {}
        packing = only_packing(options, "save_pretrained")
        folder = Path(save_directory)
        with written(folder) as temporary, _passing(_Transfer(packing=packing)):
            super().save_pretrained(temporary, config=config, model_card_kwargs=model_card_kwargs)
        if not push_to_hub:
            return None
        name = repo_id or folder.resolve().name
        return self.push_to_hub(name, config=config, model_card_kwargs=model_card_kwargs, **pushing, **packing)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        config: Any = None,
        commit_message: str = "Push model using pemncodec.",
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
        create_pr: bool | None = None,
        allow_patterns: list[str] | str | None = None,
        ignore_patterns: list[str] | str | None = None,
        delete_patterns: list[str] | str | None = None,
        model_card_kwargs: dict[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Upload what `save_pretrained` writes, in one commit; the model is packed before anything is sent.

        Args:
            repo_id: of the repository, which is made if it is not there.
            config, model_card_kwargs: as for `save_pretrained`.
            commit_message, private, token, branch, create_pr, allow_patterns, ignore_patterns, delete_patterns: as for
                the method of `huggingface_hub.ModelHubMixin`.
            options: of packing, as for `save_file`.

        Returns:
            The URL of the commit.

        Raises:
            CheckpointError, NetworkError, MismatchError: the model cannot be packed.
            TypeError: an unknown keyword.
        """
        packing = only_packing(options, "push_to_hub")
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "files"
            self.save_pretrained(folder, config=config, model_card_kwargs=model_card_kwargs, **packing)
            api = library.HfApi(token=token)
            made = api.create_repo(repo_id=repo_id, private=private, exist_ok=True)
            return api.upload_folder(
                repo_id=made.repo_id,
                repo_type="model",
                folder_path=folder,
                commit_message=commit_message,
                revision=branch,
                create_pr=create_pr,
                allow_patterns=allow_patterns,
                ignore_patterns=ignore_patterns,
                delete_patterns=delete_patterns,
            )

    @classmethod
    def from_pretrained(
        cls: type[T],
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        layout: Literal["dense", "packed"] = "dense",
        task: str | None = None,
        base: BaseFiles = None,
        verify: bool = False,
        max_bytes: int = DEFAULT_MAX_BYTES,
        threads: int | None = None,
        **model_kwargs: Any,
    ) -> T:
        """Return the model in a folder, or in a repository of the Hub, in evaluation mode.

        Parameters have the dtypes of the file. A class that prunes or masks its weights in `__init__` gets its own
        names back, scores or masks of 0 and 1 included, if the file can restore them.

        Args:
            pretrained_model_name_or_path: a folder; or the name of a repository, whose `model.pemn` and `config.json`
                are taken from the cache, or downloaded.
            force_download, token, cache_dir, local_files_only, revision: as for `huggingface_hub.snapshot_download`.
            layout, task, base, verify, max_bytes, threads: as for `load_model`.
            model_kwargs: arguments of `__init__`, instead of those in `config.json`.

        Raises:
            FileAccessError: there is no such folder or repository, or `model.pemn` is not in it.
            UnreadableCheckpointError: `config.json` is damaged, or the class refuses its values.
            CheckpointError: an argument of `__init__` is not given.
            MismatchError: the file does not fit the model.
            FormatError, NotFoundError, BaseFileError: as `load_file`.
        """
        source = os.fspath(pretrained_model_name_or_path)
        folder = Path(source) if os.path.isdir(source) else None  # noqa: PTH112  (a NUL is no error there)
        if folder is None:
            folder = _downloaded(
                source,
                force_download=force_download,
                token=token,
                cache_dir=cache_dir,
                local_files_only=local_files_only,
                revision=revision,
            )
        if os.path.lexists(folder / CONFIG):
            read_config(folder)
        options = {"layout": layout, "task": task, "base": base, "verify": verify}
        with _passing(_Transfer(loading={**options, "max_bytes": max_bytes, "threads": threads})):
            return super().from_pretrained(str(folder), **model_kwargs)

    def generate_model_card(self, *args: Any, **kwargs: Any) -> library.ModelCard:
        """Return the model card; with the sizes while `save_pretrained` writes it."""
        transfer = _TRANSFER.get(_Transfer())
        return super().generate_model_card(*args, **{"model_class": type(self).__name__, **transfer.facts, **kwargs})

    def _save_pretrained(self, save_directory: Path) -> None:
        transfer = _TRANSFER.get(_Transfer())
        assert isinstance(self, torch.nn.Module), "the mixin is for modules"
        report = save_file(self, save_directory / MODEL, **transfer.packing)
        transfer.facts = facts(save_directory, report)

    @classmethod
    def _from_pretrained(
        cls: type[T],
        *,
        model_id: str,
        revision: str | None,  # noqa: ARG003  (what the library passes on; the folder is known)
        cache_dir: str | Path | None,  # noqa: ARG003
        force_download: bool,  # noqa: ARG003
        local_files_only: bool,  # noqa: ARG003
        token: str | bool | None,  # noqa: ARG003
        **model_kwargs: Any,
    ) -> T:
        folder = Path(model_id)
        model = cls._made(folder, model_kwargs)
        assert isinstance(model, torch.nn.Module), "the mixin is for modules"
        filled(model, folder / MODEL, **_TRANSFER.get(_Transfer()).loading)
        model.eval()
        return model

    @classmethod
    def _made(cls: type[T], folder: Path, arguments: Mapping[str, Any]) -> T:
        """Return a new model, made with the arguments in `config.json` and those that the caller gave."""
        where = folder / CONFIG
        try:
            inspect.signature(cls.__init__).bind(None, **arguments)
        except TypeError as reason:
            state = "does not give" if where.exists() else "is missing and would give"
            raise CheckpointError(f"{where} {state} the arguments of {quoted(cls.__name__)}: {reason}") from None
        try:
            return cls(**arguments)
        except Exception as reason:
            raise UnreadableCheckpointError(
                f"{quoted(cls.__name__)} refuses its arguments ({where}): {type(reason).__name__}: {reason}"
            ) from reason


_PUSHING = {
    name
    for name, parameter in inspect.signature(PemnModelHubMixin.push_to_hub).parameters.items()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY
}


def _downloaded(name: str, **options: Any) -> Path:
    """Return the folder of a snapshot of a repository: its files are of one commit."""
    try:
        return Path(library.snapshot_download(name, allow_patterns=[MODEL, CONFIG], **options))
    except library.HFValidationError:
        raise FileAccessError(f"{quoted(name)} is no folder, and no name of a repository") from None
    except library.EntryNotFoundError as reason:
        raise FileAccessError(f"{quoted(name)} is no folder, and no repository in the cache: {reason}") from None
