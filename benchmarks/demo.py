"""Train, pack, inspect, unpack and verify a small masked network, in under a minute on two cores.

A ConvMixer with random-vector padding (PEMN) and edge-popup masks learns the handwritten digits that
scikit-learn ships. Its state_dict is packed by `pemn`, unpacked, and loaded into the stock network, which
has to classify the test images exactly as the masked one did.

    python benchmarks/demo.py [FOLDER]
"""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path

import torch
import zstandard
from experiments import data
from experiments.networks import convmixer
from safetensors.torch import save_file
from torch import nn

import pemncodec
from pemncodec.nn import mask_network

EPOCHS = 12
WIDTH, DEPTH, KERNEL = 96, 4, 5


def network() -> nn.Module:
    """A ConvMixer for 8 × 8 images of one channel."""
    return convmixer(WIDTH, DEPTH, KERNEL, patch=2, channels=1)


def digits() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images and labels, every fourth for testing."""
    images = data.digits()
    return images.train / 120 - 1, images.train_labels, images.test / 120 - 1, images.test_labels


@torch.no_grad()
def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Percent right, and the logits."""
    model.eval()
    logits: torch.Tensor = model(images)
    return 100 * (logits.argmax(1) == labels).float().mean().item(), logits


def train(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """An ordinary training loop: the masks are parameters like any other."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=1e-4)
    steps = EPOCHS * -(-len(images) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=steps)
    for epoch in range(EPOCHS):
        model.train()
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1:2}/{EPOCHS}  loss {loss.item():.3f}", flush=True)


def pemn(*arguments: str | Path) -> None:
    """Run the command, and show it."""
    command = ["pemn", *map(str, arguments)]
    print(f"\n$ {' '.join(command)}", flush=True)
    subprocess.run([sys.executable, "-m", "pemncodec", *command[1:]], check=True)


def main() -> None:
    """The whole story, with its files in a folder `demo`."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    torch.manual_seed(0)
    train_images, train_labels, test_images, test_labels = digits()
    model = mask_network(network(), strategy="random-vector", ratio=0.01, keep=0.5, seed=0)
    train(model, train_images, train_labels)
    before, logits = accuracy(model, test_images, test_labels)
    checkpoint, packed, unpacked = folder / "model.pt", folder / "model.pemn", folder / "dense.pt"
    torch.save(model.state_dict(), checkpoint)

    pemn("pack", checkpoint, packed, "--force")
    pemn("inspect", packed)
    pemn("unpack", packed, unpacked, "--force")
    pemn("verify", packed, "--against", checkpoint)

    stock = network()
    stock.load_state_dict(torch.load(unpacked, weights_only=True), strict=True)
    after, stock_logits = accuracy(stock, test_images, test_labels)
    direct = network()
    pemncodec.load_model(direct, packed)
    same = torch.equal(logits, stock_logits) and torch.equal(logits, accuracy(direct, test_images, test_labels)[1])

    dense, saved = pemncodec.load_file(packed), io.BytesIO()
    torch.save(dense, saved)
    save_file(dense, folder / "dense.safetensors")
    raw = b"".join(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes() for tensor in dense.values())
    sizes = [
        ("pemn", packed.stat().st_size),
        ("torch.save of the dense weights", saved.tell()),
        ("safetensors of the dense weights", (folder / "dense.safetensors").stat().st_size),
        ("zstd -19 of the dense weights", len(zstandard.ZstdCompressor(level=19).compress(raw))),
    ]
    print(f"\naccuracy of the masked network before packing   {before:.2f} %")
    print(f"accuracy of the stock network after unpacking   {after:.2f} %")
    print(f"logits of both {'equal, bit for bit' if same else 'DIFFER'}\n")
    for name, size in sizes:
        print(f"{name:<34}{size:>9,} B  {size / sizes[0][1]:6.1f} ×")
    print(f"\n{time.perf_counter() - start:.0f} s in all; files in {folder}/")
    if not same or before != after:
        sys.exit("the unpacked network is not the one that was trained")


if __name__ == "__main__":
    main()
