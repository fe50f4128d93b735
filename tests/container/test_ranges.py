"""Files that are read by ranges: URLs, from a server that counts, and file objects."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import pytest
import torch

import pemncodec
from pemncodec.container.ranges import NEAR, RangeSource, is_url
from pemncodec.errors import ChecksumError, FileAccessError, OutputError, OutputExistsError, TruncatedError
from pemncodec.loading.verify import verify_file

from .served import served

pytest.importorskip("aiohttp", reason="aiohttp, which fsspec needs for http, is not installed")
LAYERS = 40


@pytest.fixture(scope="module")
def data() -> bytes:
    """Forty layers of some 30 kB each over one prototype, and some tensors."""
    torch.manual_seed(0)
    tile = torch.randn(5_000)
    state = {f"{i}.weight": tile.repeat(50).view(500, 500) * (torch.rand(500, 500) < 0.5) for i in range(LAYERS)}
    return pemncodec.save(state | {"bias": torch.randn(1_000)}, verify=False)


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(
        torch.equal(one[k].view(torch.int32), two[k].view(torch.int32)) for k in two
    )


def test_the_manifest_is_one_request(data: bytes) -> None:
    with served(data) as server, pemncodec.open(server.url) as file:
        assert list(file) == [*(f"{i}.weight" for i in range(LAYERS)), "bias"]
        assert [method for method, _ in server.requests] == ["HEAD", "GET"]
        assert server.bytes <= 1 << 15
        assert server.url in repr(file)


def test_of_one_tensor_its_pages_are_read(data: bytes) -> None:
    with served(data) as server, pemncodec.open(server.url) as file:
        server.requests.clear()
        found = file.get_tensor("7.weight")
        assert server.bytes <= 3 * 65_536 + 65_536  # of the mask, and of the prototype
        assert len(server.requests) <= 2
    assert torch.equal(found, pemncodec.load(data)["7.weight"])


def test_all_of_a_file_is_few_requests(data: bytes) -> None:
    with served(data) as server:
        assert same(pemncodec.load_file(server.url), pemncodec.load(data))
        assert len(server.requests) == 3
        server.requests.clear()
        assert verify_file(server.url) == LAYERS + 1
        assert len(server.requests) == 3
        network = pemncodec.load_network(server.url)
        assert len(network.layers) == LAYERS
        assert same(pemncodec.load_file(f"simplecache::{server.url}"), pemncodec.load(data))


def test_packed_from_a_url(data: bytes) -> None:
    with served(data) as server:
        packed = pemncodec.load_file(server.url, layout="packed")
    assert torch.equal(packed["3.weight"].dense(), pemncodec.load(data)["3.weight"])  # type: ignore[attr-defined]


def test_pickled_as_its_url(data: bytes) -> None:
    with served(data) as server, pemncodec.open(server.url) as file, pickle.loads(pickle.dumps(file)) as again:
        assert torch.equal(again["bias"], file["bias"])


def test_a_server_without_ranges(data: bytes) -> None:
    """It is refused before all of the file was read; `simplecache::` reads it whole, if that is wanted."""
    with served(data, ranges=False) as server:
        with pytest.raises(FileAccessError, match=r"gives no ranges.*simplecache"):
            pemncodec.load_file(server.url)
        assert same(pemncodec.load_file(f"simplecache::{server.url}"), pemncodec.load(data))


def test_a_connection_that_breaks(data: bytes) -> None:
    with served(data) as server, pemncodec.open(server.url) as file:
        server.breaks_after = 0
        with pytest.raises(FileAccessError, match=r"http://127\.0\.0\.1.* cannot be read at byte \d+"):
            file.get_tensor("7.weight")


def test_damage_and_other_errors(data: bytes) -> None:
    broken = bytearray(data)
    broken[len(data) // 2] ^= 1
    with served(bytes(broken)) as server, pytest.raises(ChecksumError, match="127"):
        pemncodec.load_file(server.url)
    with served(data[:-1]) as server, pytest.raises(TruncatedError):
        pemncodec.open(server.url)
    for url, why in {
        "nothing://x": "Protocol not known",
        "memory://absent.pemn": "no such file",
        "http://127.0.0.1:9/x.pemn": "127.0.0.1",
    }.items():
        with pytest.raises(FileAccessError, match=why) as caught:
            pemncodec.open(url)
        assert str(caught.value).startswith(f"{url}: cannot be read: ")


def test_file_objects(data: bytes, tmp_path: Path) -> None:
    """Each is read at positions, and stays open; that of a file where it is."""
    path = tmp_path / "m.pemn"
    path.write_bytes(data)
    expected = pemncodec.load(data)
    with path.open("rb") as file:
        file.seek(7)
        assert same(pemncodec.load_file(file), expected)
        opened = pemncodec.open(file)
        opened.close()
        assert file.read(3) == data[7:10]
        with pytest.raises(FileAccessError, match="cannot be pickled"):
            pickle.dumps(pemncodec.open(file))
    assert same(pemncodec.load_file(io.BytesIO(data)), expected)
    assert len(pemncodec.load_file(io.BytesIO(data), layout="packed")) == LAYERS + 1
    with pytest.raises(FileAccessError, match="binary and seekable"):
        pemncodec.open(io.StringIO("text"))  # type: ignore[arg-type]
    read, write = os.pipe()
    os.close(write)
    with os.fdopen(read, "rb") as pipe, pytest.raises(FileAccessError, match="binary and seekable"):
        pemncodec.open(pipe)


def test_saved_to_urls_and_file_objects(data: bytes, tmp_path: Path) -> None:
    state = pemncodec.load(data)
    into = io.BytesIO()
    pemncodec.save_file(state, into)
    pemncodec.save_file(state, "memory://saved/m.pemn")
    pemncodec.save_file(state, tmp_path / "m.pemn")
    assert into.getvalue() == (tmp_path / "m.pemn").read_bytes()
    with pemncodec.open("memory://saved/m.pemn") as file:
        assert torch.equal(file["bias"], state["bias"])
    with pytest.raises(OutputExistsError, match="already exists"):
        pemncodec.save_file(state, "memory://saved/m.pemn", overwrite=False)
    with pytest.raises(OutputExistsError, match="base itself"):
        pemncodec.save_file(state, "memory://saved/m.pemn", base="memory://saved/m.pemn")
    with pytest.raises(OutputError, match="Protocol not known"):
        pemncodec.save_file(state, "nothing://m.pemn")
    with pytest.raises(OutputError, match="cannot be written"):
        pemncodec.save_file(state, io.StringIO())  # type: ignore[arg-type]


def test_ranges_that_lie_near_are_joined() -> None:
    """By what a file object is asked for."""
    asked: list[tuple[int, int]] = []

    class Asked(io.BytesIO):
        def read(self, count: int | None = -1) -> bytes:
            asked.append((self.tell(), count or 0))
            return super().read(count)

    content = bytes(range(256)) * 4_000
    source = RangeSource(lambda: Asked(content))
    assert source.read(0, 10) == content[:10]
    places = [100_000, 100_500, 100_500 + NEAR, 400_000]
    source.expect((place, place + 100) for place in places)
    for place in places:
        assert source.read(place, 100) == content[place : place + 100]
    assert [start for start, _ in asked] == [0, 100_000, 400_000]
    assert source.read(300_000, 5) == content[300_000:300_005]
    with pytest.raises(TruncatedError):
        source.read(len(content) - 1, 2)


def test_urls_are_told_from_paths() -> None:
    assert all(map(is_url, ("s3://a/b", "simplecache::https://x/y", "hf://o/m/f.pemn", "memory://x")))
    assert not any(map(is_url, ("C:\\a.pemn", "c:/a.pemn", "a/b", "a:b", Path("https://x"), b"https://x")))
