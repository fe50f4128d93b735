"""Images to learn: CIFAR-10 in either of two forms, or the digits that scikit-learn packages."""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

CLASSES = 10
_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]


@dataclass(frozen=True)
class Images:
    """Training and test images of ten classes.

    Attributes:
        name: what a row calls them.
        train, test: uint8, shape (n, channels, height, width).
        train_labels, test_labels: int64, shape (n,).
        augment: whether training flips and shifts them; digits are not symmetric.
    """

    name: str
    train: torch.Tensor
    train_labels: torch.Tensor
    test: torch.Tensor
    test_labels: torch.Tensor
    augment: bool

    def statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of each channel of the training images, shape (channels, 1, 1)."""
        pixels = self.train.to(torch.float64)
        mean, std = pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))
        return mean.float()[:, None, None], std.float()[:, None, None]


def load(path: Path | None) -> Images:
    """CIFAR-10 from `path`, or the packaged digits if there is none.

    Args:
        path: an `.npz` with JPEG streams (arrays `train_jpeg`, `train_offsets`, `train_labels` and so for `test`),
            or the folder `cifar-10-batches-py`, or the archive `cifar-10-python.tar.gz`.

    Raises:
        SystemExit: the path is none of these.
    """
    if path is None:
        return digits()
    if not path.exists():
        raise SystemExit(f"{path}: there is no such file; without --data the packaged digits are used")
    if path.suffix == ".npz":
        return jpegs(path)
    if path.is_dir() or path.name.endswith(".tar.gz"):
        return batches(path)
    raise SystemExit(f"{path}: expected cifar-10-batches-py, cifar-10-python.tar.gz, or an .npz of JPEG streams")


def digits() -> Images:
    """1,797 handwritten digits of 8 × 8 pixels; every fourth is for testing."""
    source = load_digits()
    images = torch.tensor(source.images * 15, dtype=torch.uint8)[:, None]
    labels = torch.tensor(source.target, dtype=torch.int64)
    test = torch.arange(len(labels)) % 4 == 0
    return Images("digits", images[~test], labels[~test], images[test], labels[test], augment=False)


def jpegs(path: Path) -> Images:
    """CIFAR-10 as JPEG streams. They are lossy: accuracies compare with each other, not with published ones."""
    from PIL import Image

    with np.load(path) as arrays:

        def split(name: str) -> tuple[torch.Tensor, torch.Tensor]:
            stream, offsets = arrays[f"{name}_jpeg"].tobytes(), arrays[f"{name}_offsets"].tolist()
            pictures = [
                np.asarray(Image.open(io.BytesIO(stream[start:end])).convert("RGB")) for start, end in pairwise(offsets)
            ]
            images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
            return images, torch.from_numpy(arrays[f"{name}_labels"].astype(np.int64))

        return Images("cifar10-jpeg", *split("train"), *split("test"), augment=True)


def batches(path: Path) -> Images:
    """CIFAR-10 as its authors distribute it for Python (pickled arrays: only open what you trust)."""
    found = {name: _plane(data) for name, data in _pickles(path) if name in (*_BATCHES, "test_batch")}
    missing = {*_BATCHES, "test_batch"} - set(found)
    if missing:
        raise SystemExit(f"{path}: {', '.join(sorted(missing))} are missing")
    train = [found[name] for name in _BATCHES]
    images, labels = (torch.cat([batch[part] for batch in train]) for part in (0, 1))
    return Images("cifar10", images, labels, *found["test_batch"], augment=True)


def _pickles(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.is_file():
                yield file.name, file.read_bytes()
        return
    with tarfile.open(path) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None:
                yield Path(member.name).name, stream.read()


def _plane(data: bytes) -> tuple[torch.Tensor, torch.Tensor]:
    batch = pickle.loads(data, encoding="bytes")
    pixels: NDArray[np.uint8] = np.asarray(batch[b"data"], dtype=np.uint8)
    labels = torch.tensor(batch[b"labels"], dtype=torch.int64)
    return torch.from_numpy(pixels.reshape(-1, 3, 32, 32).copy()), labels
