"""Tiny models of transformers, made on the spot: the same logits, bit for bit, and the tensors it loads itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import pemncodec

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

from pemncodec.hub import load_pretrained, save_pretrained

from .test_mixin import bits, files

TOKENS = torch.arange(3, 13)[None]
ENDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


@pytest.fixture(scope="module")
def transformers() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        import transformers

        yield transformers


def bert(of: Any, **more: Any) -> Any:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return of.BertForMaskedLM(of.BertConfig(vocab_size=64, **sizes, pad_token_id=0, **more)).eval()


def gpt2(of: Any, **more: Any) -> Any:
    return of.GPT2LMHeadModel(of.GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, **ENDS, **more)).eval()


def llama(of: Any, *, dtype: torch.dtype = torch.float32, **more: Any) -> Any:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = of.LlamaConfig(vocab_size=64, num_key_value_heads=2, max_position_embeddings=64, **sizes, **ENDS, **more)
    return of.AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def scaled(of: Any) -> Any:
    rope = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    return llama(of, rope_parameters={**rope, "original_max_position_embeddings": 16, "rope_theta": 1e4})


def tied(of: Any) -> Any:
    return llama(of, tie_word_embeddings=True)


def in_bfloat16(of: Any) -> Any:
    return llama(of, dtype=torch.bfloat16)


def pruned(model: Any, transformers: Any) -> Any:
    kinds = (nn.Linear, transformers.pytorch_utils.Conv1D)
    for module in model.modules():
        if isinstance(module, kinds) and module is not model.get_output_embeddings():
            prune.l1_unstructured(module, "weight", 0.8)
    return model


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(TOKENS).logits  # type: ignore[no-any-return]


def tensors(model: Any) -> dict[str, torch.Tensor]:
    """All parameters and buffers, those that are in no file too."""
    return dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers())


@pytest.mark.parametrize("make", [bert, gpt2, llama, tied, scaled, in_bfloat16])
def test_the_same_logits(make: Any, transformers: Any, tmp_path: Path) -> None:
    model = pruned(make(transformers), transformers)
    before = model.config.to_dict()
    report = save_pretrained(model, tmp_path / "p")
    assert report.family == "torch.nn.utils.prune"
    assert model.config.to_dict() == before
    assert set(files(tmp_path / "p")) == {"config.json", "model.pemn"}
    loaded = load_pretrained(tmp_path / "p")
    assert type(loaded) is type(model)
    assert not loaded.training
    assert bits(logits(loaded)) == bits(logits(model))
    packed = load_pretrained(tmp_path / "p", layout="packed")
    assert sum(isinstance(tensor, pemncodec.PackedTensor) for tensor in packed.parameters()) == report.layers
    assert torch.allclose(logits(packed).float(), logits(model).float(), atol=1e-2)


@pytest.mark.parametrize("make", [bert, gpt2, llama, tied, scaled, in_bfloat16])
def test_as_transformers_loads_its_own_files(make: Any, transformers: Any, tmp_path: Path) -> None:
    """Names, dtypes, ties and every bit, buffers that are in no file too, for a dense model."""
    model = make(transformers)
    model.save_pretrained(tmp_path / "theirs")
    save_pretrained(model, tmp_path / "ours")
    theirs, ours = type(model).from_pretrained(tmp_path / "theirs"), load_pretrained(tmp_path / "ours")
    known = tensors(theirs)
    assert list(tensors(ours)) == list(known)
    for name, tensor in tensors(ours).items():
        assert tensor.dtype == known[name].dtype, name
        assert tensor.requires_grad == known[name].requires_grad, name
        assert bits(tensor) == bits(known[name]), name
    for one, two in ((ours, theirs), (theirs, ours)):  # the same names share a parameter
        groups: dict[int, str] = {}
        for name, tensor in tensors(one).items():
            first = groups.setdefault(id(tensor), name)
            assert tensors(two)[first] is tensors(two)[name], name
    assert ours.config.to_dict() | {"_name_or_path": ""} == theirs.config.to_dict() | {"_name_or_path": ""}


def test_a_folder_of_transformers_whose_weights_were_packed(transformers: Any, tmp_path: Path) -> None:
    """Safetensors files have one name of tied tensors."""
    model = tied(transformers)
    model.generation_config.max_new_tokens = 7
    model.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    pemncodec.pack_file(tmp_path / "model.safetensors", tmp_path / "model.pemn")
    with pemncodec.open(tmp_path / "model.pemn") as file:
        assert "lm_head.weight" not in file
    loaded = load_pretrained(tmp_path)
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    assert bits(logits(loaded)) == bits(logits(model))
    assert loaded.generation_config.max_new_tokens == 7
    before = files(tmp_path)
    save_pretrained(loaded, tmp_path)
    after = files(tmp_path)
    for name in before.keys() - {"config.json", "model.pemn"}:
        assert after[name] == before[name]
    assert after.keys() == before.keys()


def test_a_tied_embedding_that_was_pruned_alone(transformers: Any, tmp_path: Path) -> None:
    """Then the two have different values, and the configuration still ties them."""
    model = gpt2(transformers)
    prune.l1_unstructured(model.transformer.wte, "weight", 0.5)
    save_pretrained(model, tmp_path)
    loaded = load_pretrained(tmp_path)
    assert loaded.lm_head.weight is not loaded.transformer.wte.weight
    assert bits(logits(loaded)) == bits(logits(model))
    loaded.save_pretrained(tmp_path / "theirs")
    again = pemncodec.load_checkpoint(tmp_path / "theirs" / "model.safetensors")
    assert {"lm_head.weight", "transformer.wte.weight"} <= set(again)


def test_tasks_and_options(transformers: Any, tmp_path: Path) -> None:
    models = {name: pruned(gpt2(transformers), transformers) for name in ("one", "two")}
    save_pretrained(models["one"], tmp_path, metadata={"a": "b"})
    with pemncodec.open(tmp_path / "model.pemn") as file:
        assert file.metadata["a"] == "b"
    pemncodec.save_tasks(models, tmp_path / "model.pemn")
    for name, model in models.items():
        assert bits(logits(load_pretrained(tmp_path, task=name))) == bits(logits(model))
    with pytest.raises(TypeError, match="unexpected keyword argument 'overwrite'"):
        save_pretrained(models["one"], tmp_path, overwrite=False)


class Wrapped(nn.Module):
    """A module around a model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.module = model


def test_what_could_not_be_loaded_is_not_saved(transformers: Any, tmp_path: Path) -> None:
    with pytest.raises(pemncodec.CheckpointError, match="'Wrapped' is no class of transformers"):
        save_pretrained(Wrapped(gpt2(transformers)), tmp_path / "f")
    model = gpt2(transformers)
    model.transformer.h[0].attn.adapter = nn.Linear(4, 4)
    with pytest.raises(pemncodec.MismatchError, match=r"Unexpected key\(s\) 'transformer.h.0.attn.adapter.weight'"):
        save_pretrained(model, tmp_path / "f")
    model = gpt2(transformers)
    model.transformer.wpe = nn.Embedding(9, 32)
    with pytest.raises(pemncodec.MismatchError, match=r"Other shapes of 'transformer.wpe.weight'"):
        save_pretrained(model, tmp_path / "f")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def saved(transformers: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    save_pretrained(pruned(gpt2(transformers), transformers), folder)
    return folder


CHANGES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no class": ({"architectures": None}, pemncodec.UnreadableCheckpointError, "names no class"),
    "no list": ({"architectures": {"GPT2Model": 1}}, pemncodec.UnreadableCheckpointError, "names no class"),
    "unknown": ({"architectures": ["GPT9"]}, pemncodec.UnreadableCheckpointError, "'GPT9' is no model class"),
    "a path": ({"architectures": ["../../x"]}, pemncodec.UnreadableCheckpointError, "is no model class"),
    "a function": ({"architectures": ["pipeline"]}, pemncodec.UnreadableCheckpointError, "is no model class"),
    "a tokenizer": ({"architectures": ["GPT2Tokenizer"]}, pemncodec.UnreadableCheckpointError, "is no model class"),
    "an auto class": ({"architectures": ["AutoModel"]}, pemncodec.UnreadableCheckpointError, "is no model class"),
    "no model": ({"architectures": ["PreTrainedModel"]}, pemncodec.UnreadableCheckpointError, "model_type is 'gpt2'"),
    "another": ({"model_type": "bert"}, pemncodec.UnreadableCheckpointError, "model_type is 'bert'"),
    "a kernel": ({"attn_implementation": "a/b"}, pemncodec.UnreadableCheckpointError, "asks for code from elsewhere"),
    "inside": ({"x": [{"_attn_implementation": "a/b"}]}, pemncodec.UnreadableCheckpointError, "asks for code"),
    "a text": ({"n_embd": "x"}, pemncodec.UnreadableCheckpointError, "makes no 'GPT2LMHeadModel'"),
    "uneven": ({"n_head": 5}, pemncodec.UnreadableCheckpointError, "makes no 'GPT2LMHeadModel'"),
    "a layer less": ({"n_layer": 1}, pemncodec.MismatchError, r"Unexpected key\(s\) 'transformer.h.1"),
    "a layer more": ({"n_layer": 3}, pemncodec.MismatchError, r"Missing key\(s\) 'transformer.h.2"),
    "wider": ({"n_embd": 64}, pemncodec.MismatchError, "Other shapes of"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_bad_configurations(name: str, saved: Path, tmp_path: Path) -> None:
    change, kind, reason = CHANGES[name]
    config = json.loads((saved / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    os.link(saved / "model.pemn", tmp_path / "model.pemn")
    before = files(tmp_path)
    with pytest.raises(kind, match=reason) as caught:
        load_pretrained(tmp_path)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 200
    assert files(tmp_path) == before


def test_files_of_other_names_are_not_read(saved: Path, tmp_path: Path) -> None:
    """transformers itself would read the configuration that this key names."""
    config = json.loads((saved / "config.json").read_text())
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "config.0.0.1.json").write_text(json.dumps(config | {"n_layer": 1}))
    folder = tmp_path / "folder"
    folder.mkdir()
    config |= {"configuration_files": ["../outside/config.0.0.1.json"], "auto_map": {"AutoConfig": "evil.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    os.link(saved / "model.pemn", folder / "model.pemn")
    (folder / "evil.py").write_text("raise SystemExit('code ran')")
    assert len(load_pretrained(folder).transformer.h) == 2


def test_missing_and_damaged_files(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(pemncodec.FileAccessError, match=r"config.json cannot be read: No such file"):
        load_pretrained(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text((saved / "config.json").read_text())
    with pytest.raises(pemncodec.FileAccessError, match=r"model.pemn cannot be read: No such file"):
        load_pretrained(tmp_path)
    os.link(saved / "model.pemn", tmp_path / "model.pemn")
    (tmp_path / "generation_config.json").write_text("{")
    with pytest.raises(pemncodec.UnreadableCheckpointError, match=r"generation_config.json cannot be used"):
        load_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(pemncodec.UnreadableCheckpointError, match=r"config.json is damaged"):
        load_pretrained(tmp_path)
