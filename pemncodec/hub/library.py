"""The names of huggingface_hub that are used here; without it the error says which extra brings it."""

from __future__ import annotations

from ..errors import MissingPackageError

try:
    from huggingface_hub import HfApi, ModelCard, ModelHubMixin, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError
except ModuleNotFoundError as reason:
    raise MissingPackageError(
        f"pemncodec.hub needs the package {reason.name}: pip install 'pemncodec[hub]', or huggingface_hub"
    ) from None

__all__ = ["EntryNotFoundError", "HFValidationError", "HfApi", "ModelCard", "ModelHubMixin", "snapshot_download"]
