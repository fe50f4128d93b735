"""`X.parametrizations.Y.original` beside `X.parametrizations.Y.0.recipe`: networks of `pemncodec.nn`.

The recipe says which values fill the layer and which fraction of them is kept; no option is needed.
"""

from __future__ import annotations

import numpy as np
import torch

from ...common import bits
from ...common.dtypes import FLOAT32
from ...errors import MaskRuleError, OutputError, UnknownLayoutError
from ...errors.quoting import quoted
from ...network.mask import Mask
from ...network.model import GeneratedPrototype
from ...nn.recipe import Recipe
from ..draft import Draft, MaskedWeight, SeededWeight
from ..family import Checkpoint, Contents, Family, Tensors, restored
from ..masks import rules
from ..options import PackOptions
from ..state import State, memory_of
from .torch_parametrize import INFIX, parametrized_name, plain_name

NAME = "pemncodec.nn"
_RECIPE = ".0.recipe"
_ORIGINAL = ".original"
_TRAINED = ".0.prototype.values"


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if any layer has a recipe.

    Raises:
        UnknownLayoutError: a recipe without scores, or one that this version does not know.
        MaskRuleError: `keep` contradicts the recipe.
    """
    state = checkpoint.state
    recipes = {name[: -len(_RECIPE)]: name for name in state.tensors if name.endswith(_RECIPE) and INFIX in name}
    if not recipes:
        return None
    draft = Draft(NAME, "edge-popup", dropped=["scores"])
    draft.reasons.append(f"{len(recipes)} layers have a recipe (first: {quoted(next(iter(recipes.values())))})")
    for name in state.tensors:
        if name in recipes.values():
            base = name[: -len(_RECIPE)]
            if base + _ORIGINAL not in state.tensors:
                raise UnknownLayoutError(
                    f"{quoted(name)} is a recipe without scores: there is no {quoted(base + _ORIGINAL)}"
                )
            continue
        if name.endswith(_TRAINED) and name[: -len(_TRAINED)] in recipes:
            draft.accounted.append(name)
            continue
        base = name[: -len(_ORIGINAL)] if name.endswith(_ORIGINAL) else ""
        draft.entries.append(_seeded(state, base, recipes[base], draft) if base in recipes else state.plain(name))
    draft.accounted.extend(recipes.values())
    _keep(draft, state, recipes, options)
    return draft


def _keep(draft: Draft, state: State, recipes: dict[str, str], options: PackOptions) -> None:
    """The fractions that the recipes name: one, or by the name of the weight."""
    read = {base: Recipe.from_integers(state.tensors[name].tolist(), repr(name)) for base, name in recipes.items()}
    by_name = {plain_name(base): recipe.keep for base, recipe in read.items() if recipe.sampler != "bernoulli"}
    if by_name:
        draft.keep = by_name if len(set(by_name.values())) > 1 else next(iter(by_name.values()))
        draft.mask_rule = "edge-popup"
    if options.keep is not None and options.keep != draft.keep:
        raise MaskRuleError(f"--keep {options.keep} contradicts the recipe in the file, {draft.keep}: omit it")
    if len(by_name) < len(read):
        draft.mask_rule = "sigmoid"
        # factors and keep of Bernoulli layers are in their recipes only
        draft.original["bernoulli"] = {
            plain_name(base): recipe.keep for base, recipe in read.items() if recipe.sampler == "bernoulli"
        }


def _seeded(state: State, base: str, recipe_name: str, draft: Draft) -> SeededWeight | MaskedWeight:
    scores = state.tensors[base + _ORIGINAL]
    stored = state.tensors[recipe_name]
    if stored.dtype != torch.int64 or stored.dim() != 1:
        raise UnknownLayoutError(f"{quoted(recipe_name)} has dtype {stored.dtype}: a recipe is a vector of int64")
    if scores.dtype != torch.float32:
        raise UnknownLayoutError(
            f"{quoted(base + _ORIGINAL)} has dtype {scores.dtype}: the weights of a converted network differ "
            "from its recipe; pack it before converting"
        )
    if base + ".1.recipe" in state.tensors:
        raise UnknownLayoutError(f"{quoted(base)} was masked twice: it is ambiguous which mask applies")
    recipe = Recipe.from_integers(stored.tolist(), repr(recipe_name))
    where = base + _ORIGINAL
    if recipe.sampler == "bernoulli":
        mask = rules.sigmoid(scores, where)
    else:
        mask = rules.edge_popup(scores, recipe.keep, where, recipe.active(scores.numel())).mask
    coats = tuple(rules.edge_popup(scores, keep, where).mask for keep in recipe.keeps[1:])
    if recipe.sampler == "bernoulli" and mask.count in (0, mask.length):
        some = "none" if mask.count == 0 else "all"
        draft.notes.append(
            f"{quoted(where)} keeps {some} of its weights: a Bernoulli mask keeps "
            "weights with a probability of at least 1/2"
        )
    if recipe.trained or recipe.sampler == "ternary":
        return _valued(state, base, recipe, mask, coats)
    return SeededWeight(
        plain_name(base),
        tuple(scores.shape),
        GeneratedPrototype(recipe.generator),
        mask,
        recipe.zero,
        recipe.factor,
        memory=memory_of(scores),
        source=base + _ORIGINAL,
        coats=coats,
    )


def _valued(state: State, base: str, recipe: Recipe, mask: Mask, coats: tuple[Mask, ...]) -> MaskedWeight:
    """A layer whose weights no seed makes: trained values, or a constant with the signs of the scores.

    Args:
        coats: further masks: a weight is its value times the number of masks that keep it.

    Raises:
        UnknownLayoutError: the trained values are not there, or are not those of the recipe.
    """
    scores = state.tensors[base + _ORIGINAL]
    vector = torch.from_numpy(recipe.generator.values())
    if recipe.trained:
        name = base + _TRAINED
        if name not in state.tensors:
            raise UnknownLayoutError(f"the values of {quoted(base)} are trained, but there is no {quoted(name)}")
        stored = state.tensors[name]
        if stored.dtype != torch.float32 or tuple(stored.shape) != tuple(vector.shape):
            raise UnknownLayoutError(
                f"{quoted(name)} has shape {tuple(stored.shape)} and dtype {stored.dtype}, but its recipe has "
                f"{len(vector)} values in float32"
            )
        vector = stored.detach().cpu()
    values = vector.repeat(-(-scores.numel() // len(vector)))[: scores.numel()]
    if recipe.factor is not None:
        values = values * recipe.factor
    if coats:
        values = values * torch.from_numpy(sum((coat.to_bool().astype(np.float32) for coat in coats), np.float32(1)))
    if recipe.sampler == "ternary":
        values = torch.where(scores.detach().cpu().flatten() < 0, -values, values)
    words = values.numpy().view(np.uint32)
    if recipe.zero == "negated":
        kept = mask.to_bool()
        words = np.where(kept, words, words ^ np.uint32(1 << 31))
        mask = Mask(bits.constant(mask.length, True), mask.length)
    return MaskedWeight(
        plain_name(base),
        FLOAT32,
        tuple(scores.shape),
        words,
        mask,
        memory=memory_of(scores),
        scores=(base + _ORIGINAL,),
    )


def restore(contents: Contents) -> Tensors:
    """Recipes, and scores that give the same masks: 0 and 1, or ±1 for Bernoulli masks.

    Raises:
        OutputError: a layer has no recipe, its fraction is not in the file, or its mask is not what the fraction gives.
    """
    bernoulli = contents.details.get("bernoulli", {})
    keep = contents.fractions

    def values(contents: Contents, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        flags = contents.flags(name, torch.float32)
        if name in bernoulli:
            recipe = contents.recipe(name, bernoulli[name], "bernoulli")
            flags = 2 * flags - 1
        else:
            recipe = _edge_popup(contents, name, None if keep is None else keep(name), flags)
        return flags, torch.tensor(recipe.to_integers(), dtype=torch.int64)

    return restored(
        contents, lambda name: (parametrized_name(name) + _ORIGINAL, parametrized_name(name) + _RECIPE), values
    )


def _edge_popup(contents: Contents, name: str, fraction: float | None, flags: torch.Tensor) -> Recipe:
    if fraction is None:
        raise OutputError(f"the file does not say which fraction {quoted(name)} keeps: use another layout")
    recipe = contents.recipe(name, fraction, "edge-popup")
    active = recipe.active(flags.numel())
    count = flags.numel() if active is None else int(np.count_nonzero(active))
    if int(flags.sum(dtype=torch.float64)) != count - rules.dropped(fraction, count):
        raise OutputError(f"the mask of {quoted(name)} does not keep a fraction of {fraction:g}: use another layout")
    return recipe


FAMILY = Family(NAME, recognise, restore)
