"""Models on the Hugging Face Hub, and models of transformers, with their weights in a `.pemn` file.

Importing this needs huggingface_hub, the extra `hub`. transformers is imported by the functions that need it.
"""

from .mixin import PemnModelHubMixin
from .pretrained import load_pretrained, save_pretrained

__all__ = ["PemnModelHubMixin", "load_pretrained", "save_pretrained"]
