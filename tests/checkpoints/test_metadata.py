"""The `pemn.` keys of a file: what is written is read again, and what a stranger writes ends in one kind of error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec.checkpoints import metadata
from pemncodec.checkpoints.options import Keep, PackOptions
from pemncodec.checkpoints.recognise import FAMILIES, draft_of
from pemncodec.common import strict_json
from pemncodec.common.dtypes import BY_NAME, FLOAT32
from pemncodec.errors import (
    CheckpointError,
    ConversionError,
    LimitError,
    MaskRuleError,
    MetadataError,
    NetworkError,
    NotFoundError,
    OutputError,
    PemnError,
)
from pemncodec.generators.philox.generator import Generator
from pemncodec.network.mask import Mask
from pemncodec.network.model import Alias, GeneratedPrototype, KeptFill, Layer, MaskedNetwork, Tensor, TileFill

from .. import hostile_metadata
from ..cli.test_cli import pemn
from ..networks import stored, words

# --- JSON -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["null", "true", "-0.0", "1e308", '"\\u00e9\\n"', "[]", "{}", '{"a":[1,{"b":null}],"":""}', " [ 1 , 2 ] "]
)
def test_json_is_read_as_python_reads_it(text: str) -> None:
    assert repr(strict_json.parse(text)) == repr(json.loads(text))
    assert strict_json.parse(strict_json.write(strict_json.parse(text))) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value"),
        ("[1", "delimiter"),
        ('"a', "Unterminated string"),
        ('"a\\"', "Unterminated string"),
        ('"a\nb"', "control character"),
        ("\ufeff1", "."),
        ("NaN", "NaN is not a number"),
        ("[-Infinity]", "-Infinity is not a number"),
        ("1e999", "beyond the range"),
        ("9" * 21, "an integer of 21 digits"),
        ("-" + "9" * 5000, "an integer of 5001 digits"),
        ('{"a":1,"b":2,"a":3}', "'a' appears twice in one object"),
        ('"\\ud800"', "a lone surrogate"),
        ('{"\\udc00":1}', "a lone surrogate"),
        ("[" * 17 + "]" * 17, "nested deeper than 16"),
        ('{"a":' * 200_000, "nested deeper than 16"),
        ("[" + "0," * (1 << 20) + "0]", "more than 1048576 values"),
        ("]" * 2_000_000, "more than 1048576 values"),
    ],
)
def test_json_that_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        strict_json.parse(text)


def test_json_within_the_limits() -> None:
    assert strict_json.parse("[" * 16 + "]" * 16)
    assert strict_json.parse('["[[[[[[[[[[[[[[[[[[[[[[","\\"{{{{{{{{{{{{{{{{{{{{{{{"]')[0].startswith("[")
    assert strict_json.parse("[18446744073709551615, -9223372036854775808]") == [2**64 - 1, -(2**63)]
    assert strict_json.parse("[NaN,Infinity]", infinite=True)[1] == float("inf")


# --- what is written is read ----------------------------------------------------------------------------------


def every_detail() -> dict[str, Any]:
    return {
        "under": "state_dict",
        "masks_under": 3,
        "prefix": "module.",
        "suffix": ".weight",
        "mask": "float8_e4m3fn",
        "scores": "bfloat16",
        "shape": "int32",
        "row_offsets": "uint8",
        "folder": "final",
        "model": "sub/model_ep1_it0.pth",
        "parallel": True,
        "b_mask": False,
        "bernoulli": {"a": 0.5, "b": 1},
        "index": {"a": 0, "b": -3},
        "groups": [["a", 0, "b"], [1]],
        "arrays": ["a", "é"],
        "integers": ["0", "a.1"],
        "names": {"a.weight": "a.m"},
        "broadcast": {"a.weight": [8, 1, 1, 1]},
        "inverted": True,
        "halves": ["a.weight"],
        "shape_columns": False,
        "task_masks": "per_task_masks",
        "integer_tasks": True,
        "places": {"a.weight": 3},
    }


def test_a_draft_is_written_and_read() -> None:
    assert set(every_detail()) == set(metadata.DETAILS)
    draft = draft_of({"a": torch.ones(2)}, PackOptions())
    draft.mask_rule, draft.keep, draft.threshold, draft.dropped = (
        "sigmoid",
        {"b*": 0.25, "*": 1},
        np.float64(1e-5),
        ["é"],
    )
    of = {"one": {"under": 1}, "zwei": every_detail()}
    keep: dict[str, Any] = {"one": {"z": 0.5, "*": 0.1, "a": 1}, "zwei": None}
    draft.original = {**every_detail(), "separate": True, "of": of, "keep": keep}
    written = metadata.write(draft)
    assert all(isinstance(value, str) for value in written.values())
    found = metadata.read({**written, "mine": "{", "pemn.of the future": "["})
    assert found == metadata.Metadata(
        "dense", "sigmoid", {"b*": 0.25, "*": 1}, 1e-5, every_detail(), True, of, keep, ("é",), None, None, None
    )
    # of patterns the first that matches counts
    assert list(found.for_task("one").keep or ()) == ["z", "*", "a"]  # type: ignore[arg-type]
    assert found.for_task("one").details["under"] == 1
    assert found.for_task("zwei").keep is None
    assert found.for_task("three").keep == {"b*": 0.25, "*": 1}
    assert metadata.read({}) == metadata.Metadata()


def test_fractions_of_tasks_keep_their_order() -> None:
    """The order also holds in a file: sorted, `*` would come before `l`."""
    draw = torch.Generator().manual_seed(0)
    states = {
        task: {f"{name}.{what}": torch.rand(4, 4, generator=draw) for name in "lm" for what in ("weight", "scores")}
        for task in ("a", "b")
    }
    drafts = {
        task: draft_of(state, PackOptions(keep={"l": keep, "*": 0.5}))
        for (task, state), keep in zip(states.items(), (0.25, 0.75), strict=True)
    }
    data = pemncodec.packing.pack.pack_draft(pemncodec.packing.tasks.merge(drafts))[0].to_bytes()
    said = metadata.read(pemncodec.open(data).metadata)
    assert list(said.for_task("b").keep or ()) == ["l", "*"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("original", "said"),
    [
        ({"under": (1, 2)}, r"'under' of the checkpoint is '\(1, 2\)', and must be a string or an integer"),
        ({"under": True}, "must be a string or an integer"),
        ({"folder": "../x"}, "must be a plain folder name"),
        ({"of": {"a": {"model": "/x"}}}, "must be a plain file name"),
    ],
)
def test_a_draft_that_cannot_be_expressed(original: dict[str, Any], said: str) -> None:
    draft = draft_of({"a": torch.ones(2)}, PackOptions())
    draft.original = original
    with pytest.raises(CheckpointError, match=said):
        metadata.write(draft)


def test_keys_of_checkpoints_that_a_file_cannot_say() -> None:
    state = {"a": torch.ones(2)}
    key: Any = ("a", 1)
    nested: Any = {key: state}
    with pytest.raises(CheckpointError, match="must be a string or an integer"):
        pemncodec.save(nested, key=key)
    patterns = {f"{number:04}*" + "x" * 100: 0.5 for number in range(200)}
    draft = draft_of(state, PackOptions())
    draft.keep = patterns
    with pytest.raises(MaskRuleError, match="patterns of more than 16384 characters"):
        metadata.write(draft)
    draft.keep = dict.fromkeys((f"layer.{number}.weight" for number in range(5_000)), 0.5)  # names are no patterns
    assert metadata.read(metadata.write(draft)).keep == draft.keep


# --- what strangers write -------------------------------------------------------------------------------------

BAD: list[tuple[str, str, str]] = [
    ("mask_rule", "zzz", "'zzz', and must be a known rule"),
    ("keep", "null", "must be a fraction"),
    ("keep", "0", "must be a fraction"),
    ("keep", "true", "must be a fraction"),
    ("keep", "1.5", "must be a fraction"),
    ("keep", "[0.5]", "must be a fraction"),
    ("keep", '{"a":"b"}', "must be a fraction"),
    ("keep", '{"a":2}', "must be a fraction"),
    ("keep", json.dumps({f"{number:03}" + "*" * 1_000: 0.5 for number in range(17)}), "must be a fraction"),
    ("keep", "9" * 5_000, "an integer of 5000 digits"),
    ("keep", "[" * 5_000, "nested deeper"),
    ("threshold", '"1"', "must be a number"),
    ("threshold", "true", "must be a number"),
    ("threshold", "inf", "is not JSON"),
    ("threshold", "NaN", "NaN is not a number"),
    ("threshold", "1e999", "beyond the range"),
    ("dropped", "3", "must be a list of strings"),
    ("dropped", "[1]", "must be a list of strings"),
    ("original", "[]", "must be an object"),
    ("original", "null", "must be an object"),
    ("original", '{"new":1}', "has 'new', which this pemncodec does not know: install a newer one"),
    ("original", '{"of":{"a":{"new":1}}}', "has 'new', which this pemncodec does not know"),
    ("original", '{"of":{"a":{"of":{}}}}', "has 'of', which"),
    ("original", '{"of":[]}', "must be details by task"),
    ("original", '{"of":{"a":"a"}}', "must be details by task"),
    ("original", '{"keep":{"a":3}}', "must be fractions by task"),
    ("original", '{"keep":0.5}', "must be fractions by task"),
    ("original", '{"separate":1}', "must be true or false"),
    ("fold_batchnorm", '{"eps":null}', "must be an object with an eps"),
    ("fold_batchnorm", '{"eps":NaN}', "must be an object with an eps"),
    ("fold_batchnorm", '{"eps":{"a":2}}', "must be an object with an eps"),
    ("tensor_dtype", '{"dtype":"int8"}', "must be an object with a dtype, float16 or bfloat16"),
    ("tensor_dtype", '{"dtype":["float16"]}', "must be an object with a dtype"),
    ("base", "0" * 63, "must be a SHA-256"),
]
WRONG: dict[str, list[Any]] = {
    "under": [None, True, 0.5, [], "x" * 1_025],
    "masks_under": [False, [], 1.5],
    "prefix": [None, 1, "a\0b", "é" * 600],
    "suffix": [3, {}],
    "mask": ["load", "Tensor", "quint4x2", "float4_e2m1fn_x2", "float8_e8m0fnu", "", None, ["float32"]],
    "scores": ["complex64", "load", 1, {"a": "b"}],
    "shape": ["float32", "bool", "cat", None],
    "row_offsets": ["float64", "load", []],
    "folder": ["", "..", "/x", "a/b", "a\\b", 3, None],
    "model": ["", "../x", "/x", "a/../b", "C:x", "x" * 256, 1, ["a"]],
    "parallel": [1, "true", None],
    "b_mask": [0, []],
    "bernoulli": [0.5, {"a": 0}, {"a": "b"}, {"a": True}, ["a"]],
    "index": [1, {"a": 0.5}, {"a": True}, {"a": None}, "load"],
    "groups": [{}, [[]], ["a"], [[None]], [[0.5]], [["a", ["b"]]]],
    "arrays": ["a", [1], {"a": 1}],
    "integers": [0, [1]],
    "names": [[], {"a": 1}],
    "broadcast": [[1], {"a": 1}, {"a": [-1]}, {"a": [1.5]}, {"a": [True]}, {"a": [1] * 33}],
    "inverted": [1, "true"],
    "halves": ["a", [1]],
    "shape_columns": [0, []],
    "task_masks": [1, ["a"]],
    "integer_tasks": [1, "true"],
    "places": [[], {"a": "1"}, {"a": True}],
}


@pytest.mark.parametrize(("key", "text", "said"), BAD)
def test_values_that_are_none(key: str, text: str, said: str) -> None:
    with pytest.raises(MetadataError, match=said) as caught:
        metadata.read({f"pemn.{key}": text})
    assert len(str(caught.value)) <= 200
    assert str(caught.value).isprintable()
    assert f"pemn.{key}" in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_details_that_are_none(key: str, value: Any) -> None:
    for details in ({key: value}, {"of": {"a": {key: value}}}):
        with pytest.raises(MetadataError, match=f"'pemn.original: {key}' is .*, and must be "):
            metadata.read({"pemn.original": json.dumps(details)})


def test_every_detail_has_wrong_values_here() -> None:
    assert set(WRONG) == set(metadata.DETAILS)


def simple(layout: str, original: str = "{}", rule: str = "explicit", **more: str) -> MaskedNetwork:
    """One layer of ones, half of it kept."""
    made = MaskedNetwork(masks=[Mask.from_bool(np.arange(12) % 2 == 1)])
    made.prototypes = [stored(FLOAT32, np.full(1, 0x3F800000, dtype=np.uint32))]
    made.entries = [Layer("l.weight", (3, 4), 0, TileFill(0))]
    made.metadata = {"pemn.layout": layout, "pemn.mask_rule": rule, "pemn.original": original}
    made.metadata |= {f"pemn.{key}": value for key, value in more.items()}
    return made


def test_bad_metadata_is_no_fault_of_the_file(tmp_path: Path) -> None:
    """The tensors load and the file verifies; only what acts on the metadata refuses it, as one line."""
    made = simple("edge-popup", '{"scores":"load"}', tasks="")
    made.tasks, made.entries = ["a"], [Layer("l.weight", (3, 4), 0, TileFill(0), 1)]
    pemncodec.save_file(made, tmp_path / "bad.pemn")
    assert pemncodec.load_file(tmp_path / "bad.pemn", task="a")["l.weight"].sum() == 6
    assert pemn("verify", "bad.pemn", cwd=tmp_path).returncode == 0
    torch.save({"l.weight": torch.ones(3, 4), "l.scores": torch.rand(3, 4)}, tmp_path / "a.pt")
    commands = [
        ("unpack", "bad.pemn", "out.pt", "--layout", "original"),
        ("verify", "bad.pemn", "--against", "a.pt", "--task", "a"),
        ("pack", "--task", "b=a.pt", "--keep", "0.5", "--add-to", "bad.pemn", "-o", "new.pemn"),
    ]
    before = set(tmp_path.iterdir())
    for command in commands:
        result = pemn(*command, cwd=tmp_path)
        assert result.returncode == 1
        assert result.stderr.count("\n") == 1
        assert "'pemn.original: scores' is 'load', and must be a dtype of scores" in result.stderr
    assert set(tmp_path.iterdir()) == before


# --- networks that a layout cannot say ------------------------------------------------------------------------


def refused(made: MaskedNetwork, said: str, *, max_bytes: int = 1 << 30, kind: type[PemnError] = OutputError) -> None:
    with pytest.raises(kind, match=said) as caught:
        pemncodec.load_original(pemncodec.save(made), max_bytes=max_bytes)
    assert "cannot hold this network (" not in str(caught.value), "the family did not foresee it"


MASKING = [family.name for family in FAMILIES if family.name not in ("dense", "masks-file", "pemncodec.nn")]


@pytest.mark.parametrize("layout", MASKING)
@pytest.mark.parametrize("zero", ["negated", "second"])
def test_zero_bits_that_stand_for_other_values(layout: str, zero: str) -> None:
    """Weight times mask would be another network."""
    made = simple(layout, '{"model":"model_ep.pth"}' if layout == "open_lth" else "{}", keep="0.5")
    made.tasks = ["a"] if layout in ("supsup", "task-masks") else []
    made.entries = [Layer("l.weight", (3, 4), 0, TileFill(0, zero=zero, second=0 if zero == "second" else None))]
    refused(made, "zero bits for other values")


def test_recipes_that_say_less_than_the_file() -> None:
    plain = Generator("normal", 12, 3, 0, 0.1)
    for fill, generator, said in (
        (TileFill(0), None, "is not filled by a generator"),
        (TileFill(0, phase=1), plain, "as no recipe can express"),
        (TileFill(0), Generator("normal", 12, 3, 0, 0.1, ((3, 5),)), "as no recipe can express"),
        (TileFill(0, zero="second", second=0), plain, "as no recipe can express"),
    ):
        made = simple("pemncodec.nn", rule="edge-popup", keep="0.5")
        if generator is not None:
            made.prototypes = [GeneratedPrototype(generator)]
        made.entries = [Layer("l.weight", (3, 4), 0, fill)]
        refused(made, said)
    made = simple("pemncodec.nn", rule="edge-popup", keep="0.5")
    made.prototypes = [GeneratedPrototype(plain)]
    back = pemncodec.load_original(pemncodec.save(made))
    assert torch.equal(
        pemncodec.load(pemncodec.save(back))["l.weight"], pemncodec.load(pemncodec.save(made))["l.weight"]
    )
    made.metadata["pemn.keep"] = "0.25"
    refused(made, "does not keep a fraction of 0.25")
    del made.metadata["pemn.keep"]
    refused(made, "does not say which fraction 'l.weight' keeps")


def test_names_that_a_layout_does_not_have() -> None:
    for layout in ("iterand", "popup-scores", "masked-buffers", "fedpm", "lottery-jackpots", "piggyback", "biprop"):
        made = simple(layout, keep="0.5")
        made.entries = [Layer("l.other", (3, 4), 0, TileFill(0))]
        refused(made, "masks X.weight only")
    made = simple("torch.nn.utils.prune")
    made.entries.append(Tensor("l.weight_mask", FLOAT32, (2,), words(FLOAT32, 2, 0)))
    refused(made, "two tensors would be named 'l.weight_mask'")
    refused(simple("compressed-tensors", '{"suffix":".other"}'), "does not end with '.other'")
    refused(simple("open_lth", '{"parallel":true}'), "lacks the prefix 'module.'")


def test_types_that_a_layout_does_not_have() -> None:
    for name in ("bfloat16", "float8_e5m2", "complex32"):
        made = simple("lottery-ticket-hypothesis")
        made.entries = [Tensor("l", BY_NAME[name], (3,), words(BY_NAME[name], 3, 0))]
        refused(made, "which .npy files cannot hold")
    made = simple("biprop", rule="edge-popup", keep="0.5")
    made.entries = [Layer("l.weight", (3, 4), 0, KeptFill(BY_NAME["complex64"], words(BY_NAME["complex64"], 6, 0)))]
    refused(made, "which no layer of biprop has")
    made.entries = [Layer("l.weight", (3, 4), 0, KeptFill(FLOAT32, np.arange(1, 7, dtype=np.uint32)))]
    refused(made, "has several magnitudes")
    refused(simple("edge-popup", '{"scores":"uint8"}', rule="sigmoid"), "torch.uint8, which cannot express its mask")
    refused(simple("edge-popup", rule="threshold", threshold="1.5"), "cannot express a mask at the threshold 1.5")
    made = simple("compressed-tensors", '{"row_offsets":"int8"}')
    made.masks, made.entries = [Mask.from_bool(np.ones(256, dtype=bool))], [Layer("l.weight", (2, 128), 0, TileFill(0))]
    refused(made, "row_offsets of 'l.weight' does not fit torch.int8")


def test_tasks_that_a_layout_does_not_have() -> None:
    refused(simple("supsup"), "the file holds no tasks")
    refused(simple("piggyback", '{"index":{"l.weight":0}}'), "the file holds no tasks")
    made = simple("piggyback", '{"index":{"l.weight":0,"m.weight":0}}')
    made.tasks = ["a"]
    made.entries.append(Layer("m.weight", (3, 4), 0, TileFill(0)))
    refused(made, "two tensors would be named '0'")
    made.metadata["pemn.original"] = '{"index":{"no.weight":0}}'
    refused(made, "there is no tensor 'no.weight'", kind=NotFoundError)
    one, two = (KeptFill(FLOAT32, np.full(6, value, dtype=np.uint32)) for value in (1, 2))
    made = simple("supsup", rule="edge-popup", keep="0.5")
    made.tasks = ["0", "1"]
    made.entries = [Layer("l.weight", (3, 4), 0, one, 1), Layer("l.weight", (3, 4), 0, two, 2)]
    refused(made, "tasks have different weights for 'l.weight'")
    made = simple("edge-popup", '{"separate":true}', rule="edge-popup")
    made.tasks = ["a", "b"]
    refused(made, "choose one of 'a', 'b'", kind=NotFoundError)
    with pytest.raises(NotFoundError, match="no task 'c'"):
        pemncodec.load_original(pemncodec.save(made), task="c")


def test_an_unknown_family() -> None:
    refused(simple("none"), "does not say which family it was packed from")
    assert set(pemncodec.load_original(pemncodec.save(simple("dense", '{"under":7}')))) == {7}


def test_files_that_tasks_cannot_be_added_to(tmp_path: Path) -> None:
    state = {"l.weight": torch.ones(3, 4), "l.scores": torch.rand(3, 4)}
    made = simple("edge-popup", rule="edge-popup", tensor_dtype='{"dtype":"float16"}')
    made.tasks = ["a"]
    with pytest.raises(ConversionError, match="converted for inference"):
        pemncodec.save_tasks({"b": state}, tmp_path / "a.pemn", add_to=pemncodec.save(made), keep=0.5)
    made = simple("edge-popup", rule="edge-popup")
    made.tasks = [str(number) for number in range(40_000)]
    made.entries += [Alias(f"alias {number}", "l.weight") for number in range(500)]
    with pytest.raises(NetworkError, match="40000 tasks over 501 entries are too many"):
        pemncodec.save_tasks({"b": state}, tmp_path / "a.pemn", add_to=pemncodec.save(made), keep=0.5)


# --- what it may take -----------------------------------------------------------------------------------------


def wide(layout: str, original: str = "{}", count: int = 1_000) -> MaskedNetwork:
    made = simple(layout, original, rule="edge-popup", keep="0.5")
    made.masks = [Mask.from_bool(np.arange(count) % 2 == 1)]
    made.entries = [Layer("l.weight", (count,), 0, TileFill(0))]
    return made


@pytest.mark.parametrize(
    ("layout", "original", "each"),
    [
        ("dense", "{}", 4),
        ("edge-popup", "{}", 12),  # scores as float32, and as the type that they have
        ("torch.nn.utils.prune", "{}", 8),
        ("torch.nn.utils.prune", '{"mask":"int64"}', 12),
        ("torch.nn.utils.prune", '{"mask":"bool"}', 5),
        ("lottery-ticket-hypothesis", '{"mask":"float64"}', 12),
        ("open_lth", '{"model":"model_ep"}', 8),
    ],
)
def test_all_that_is_made_counts(layout: str, original: str, each: int) -> None:
    """The prototype takes 4 bytes, and each of 1,000 weights so many."""
    data = pemncodec.save(wide(layout, original))
    assert pemncodec.load_original(data, max_bytes=4 + 1_000 * each)
    with pytest.raises(LimitError, match=r"takes more than the \d+ bytes that max_bytes allows"):
        pemncodec.load_original(data, max_bytes=3 + 1_000 * each)


def test_the_sum_of_many_tensors_counts() -> None:
    made = wide("lottery-ticket-hypothesis")
    made.entries += [Alias(f"alias {number}", "l.weight") for number in range(99)]
    data = pemncodec.save(made)
    assert pemncodec.load(data, max_bytes=10_000)
    refused(made, "takes more than the 100000 bytes", max_bytes=100_000, kind=LimitError)
    assert len(pemncodec.load_original(data, max_bytes=4 + 100 * 8_000).files) == 201


def test_tied_tensors_in_safetensors_count(tmp_path: Path) -> None:
    """There they are written once a name; torch.save writes them once."""
    made = wide("dense")
    made.entries += [Alias(f"alias {number}", "l.weight") for number in range(99)]
    pemncodec.save_file(made, tmp_path / "a.pemn")
    assert pemncodec.unpack_original(tmp_path / "a.pemn", tmp_path / "a.pt", max_bytes=10_000) == 100
    with pytest.raises(LimitError, match="would take 400000 bytes, but max_bytes allows 10000"):
        pemncodec.unpack_original(tmp_path / "a.pemn", tmp_path / "a.safetensors", max_bytes=10_000)
    assert not (tmp_path / "a.safetensors").exists()


def test_many_patterns_over_many_names() -> None:
    made = wide("biprop")
    made.entries += [Alias(f"{number:0900}", "l.weight") for number in range(200)]
    made.metadata["pemn.keep"] = json.dumps({f"*{number:01000}": 0.5 for number in range(16)})
    refused(made, "too many patterns for so many layers", kind=MetadataError)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("a", 0.1), ("*", 0.5)], {"a.weight": 0.1, "a": 0.1, "b": 0.5}),
        ([("*", 0.5), ("a", 0.1)], {"a.weight": 0.5, "b": 0.5}),
        ([("b*", 0.2), ("b.weight", 0.3), ("[c]", 0.4)], {"b": 0.2, "b.weight": 0.2, "c.weight": 0.4, "d": None}),
        ([("b.weight", 0.3), ("b", 0.2)], {"b.weight": 0.3, "b": 0.2}),
        ([("b", 0.2), ("b.weight", 0.3)], {"b.weight": 0.2}),
    ],
)
def test_the_first_pattern_that_matches(pairs: list[tuple[str, float]], expected: dict[str, Any]) -> None:
    keep = Keep.of(dict(pairs))
    assert keep is not None
    assert {name: keep(name) for name in expected} == expected


# --- all of it ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_hostile_files(tmp_path: Path) -> None:
    """Some of `python -m tests.hostile_metadata 50000`."""
    checks = hostile_metadata.run(250, 20, tmp_path)
    assert not checks.faults, checks.faults[0]
    assert checks.results["load_original"] > 30
    assert checks.results["load_original: MetadataError"] > 30
    assert checks.results["add"] >= 1
