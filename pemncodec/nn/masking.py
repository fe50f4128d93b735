"""Masked random weights as a PyTorch parametrization.

The trained parameter (`module.parametrizations.weight.original`) is the score of every weight. The weight itself is
computed: random values that a recipe makes, selected by the mask that follows from the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..errors import MaskRuleError, NetworkError
from ..generators.philox.generator import Generator
from . import samplers, strategies
from .density import Fractions, check_fraction, fractions, shares
from .recipe import SAMPLERS, Recipe
from .scope import Scope, weights_in_scope

M = TypeVar("M", bound=nn.Module)


class Prototype(nn.Module):
    """Random values, in memory once for all layers that use them.

    A module of its own, because `.to(device)` would copy a buffer once for every layer, and a shared module only once.
    The values stay float32 when the network is converted: its recipe says nothing of a conversion.

    Args:
        generator: makes them.
        trained: whether they are a parameter, and in the state_dict.
    """

    values: torch.Tensor

    def __init__(self, generator: Generator, trained: bool = False) -> None:
        super().__init__()
        values = torch.from_numpy(generator.values())
        if trained:
            self.values = nn.Parameter(values)
        else:
            self.register_buffer("values", values, persistent=False)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Prototype:
        values = self.values
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.values.dtype != values.dtype and not isinstance(values, nn.Parameter):
            self.values = values.to(self.values.device)
        return self


class MaskedFill(nn.Module):
    """Parametrization that turns scores into a masked, filled weight.

    Args:
        recipe: the prototype, and how the mask follows from the scores.
        prototype: its values; one module for all layers that share it.
        numel: number of weights of the layer.

    Attributes:
        recipe: int64, in the state_dict, so that `pemn pack` needs no flag.
    """

    recipe: torch.Tensor

    def __init__(self, recipe: Recipe, prototype: Prototype, numel: int) -> None:
        super().__init__()
        self.sampler, self.zero, self.factor = recipe.sampler, recipe.zero, recipe.factor
        self.prototype = prototype
        active = recipe.active(numel)
        self.has_zeros = active is not None
        self.count = numel if active is None else int(active.sum())
        self.drops = _dropped(recipe, self.count)
        self.register_buffer("recipe", torch.tensor(recipe.to_integers(), dtype=torch.int64))

    @property
    def drop(self) -> int:
        """The number of weights that are not kept."""
        return self.drops[0]

    def set_keep(self, keep: float) -> None:
        """Keep another fraction from now on, in (0, 1]; not for Bernoulli masks."""
        recipe = replace(Recipe.from_integers(self.recipe.tolist(), "the recipe"), keep=keep)
        self.drops = _dropped(recipe, self.count)
        self.recipe.copy_(torch.tensor(recipe.to_integers(), dtype=torch.int64))

    def _load_from_state_dict(self, state_dict: dict[str, torch.Tensor], prefix: str, *rest: Any) -> None:
        """Load as any module does, but refuse scores of another recipe: they would select among other values."""
        stored = state_dict.get(f"{prefix}recipe")
        if stored is not None and stored.tolist() != self.recipe.tolist():
            errors: list[str] = rest[-1]
            errors.append(
                f"{prefix}recipe does not match this network: mask it with the options (strategy, ratio, keep, seed, "
                "…) of the saved one"
            )
            return
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def filled(self, scores: torch.Tensor) -> torch.Tensor:
        """The random values in the shape of `scores`, before masking. A view where the prototype is long enough."""
        values = self.prototype.values.to(scores.dtype)
        repeats = -(-scores.numel() // len(values))
        filled = (values if repeats == 1 else values.repeat(repeats))[: scores.numel()].view(scores.shape)
        return filled if self.factor is None else filled * self.factor

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        """The weight, in the shape of `scores`."""
        # First, because torch.compile stops here, and would keep what has a gradient beyond it.
        level = samplers.levels(scores, self.drops) if len(self.drops) > 1 else None
        one = self.filled(scores)
        if level is not None:
            if self.sampler == "ternary":
                one = torch.where(scores < 0, -one, one)
            coated: torch.Tensor = samplers.Coated.apply(scores.abs(), level, one, len(self.drops))  # type: ignore[no-untyped-call]
            return coated
        if self.sampler == "ternary":
            _, mask = samplers.edge_popup(scores, self.drop)
            ternary: torch.Tensor = samplers.Ternary.apply(scores, mask, one)  # type: ignore[no-untyped-call]
            return ternary
        idle = one == 0 if self.has_zeros else None
        zero = -one if self.zero == "negated" else torch.zeros_like(one)
        if idle is not None:
            zero = torch.where(idle, one, zero)  # and not −0.0
        if self.sampler == "bernoulli":
            surrogate, mask = samplers.bernoulli(scores, self.training)
        else:
            surrogate, mask = samplers.edge_popup(scores, self.drop, idle)
        weight: torch.Tensor = samplers.Select.apply(surrogate, mask, one, zero)  # type: ignore[no-untyped-call]
        return weight


def _dropped(recipe: Recipe, count: int) -> tuple[int, ...]:
    return tuple(int((1 - keep) * count) for keep in recipe.keeps)


def set_keep(model: nn.Module, keep: Fractions) -> None:
    """Let the masked layers of `model` keep other fractions from now on, in place: a schedule calls it at every epoch.

    The recipes in the state_dict say the present fractions, so that a network is packed with the last ones. To resume a
    training, call it with the fractions of the saved epoch before `load_state_dict`.

    Args:
        model: a network that `mask_network` has masked.
        keep: as for `mask_network`.

    Raises:
        NetworkError: there is no masked layer, or one with a Bernoulli mask, whose fraction follows from its scores;
            or a pattern as `mask_network` refuses it. The model is then unchanged.
        MaskRuleError: keep is outside its range.
    """
    fills = {path: part for path, part in model.named_modules() if isinstance(part, MaskedFill)}
    if not fills:
        raise NetworkError("there is no masked layer: call mask_network first")
    if any(part.sampler == "bernoulli" for part in fills.values()):
        raise NetworkError("Bernoulli masks keep what their scores say: keep is only their first probability")
    paths = [path.partition("parametrizations.")[0].removesuffix(".") for path in fills]
    for part, fraction in zip(fills.values(), fractions(keep, paths), strict=True):
        part.set_keep(fraction)


def mask_network(
    model: M,
    *,
    strategy: str | None = None,
    keep: Fractions = 0.5,
    ratio: float | None = None,
    init: str | None = None,
    seed: int = 0,
    permute: bool = False,
    zeros: float = 0.0,
    sampler: str = "edge-popup",
    zero: str = "zero",
    rescale: bool = False,
    trained: bool = False,
    coats: int | Sequence[float] = 1,
    scope: Scope = None,
) -> M:
    """Turn weights of `model` into masked random weights, in place.

    The values of the weights are discarded: scores take their place, drawn by PyTorch's own generator
    (`torch.manual_seed`), and the weights come from `seed`. The weights of linear layers, convolutions (1-d to 3-d,
    transposed ones included) and attention projections are masked; biases, BatchNorm, embeddings and everything else
    stay ordinary parameters.

    The default is not the paper's, which `strategy="random-vector"` is: signed constants of its own for every layer
    were more accurate in files of as many bytes (docs/choosing.md).

    Args:
        model: any module with float32 weights.
        strategy: where the random values come from (Bai et al., NeurIPS 2022, section 3): `"full"`, every layer its
            own (the default); `"one-layer"`, layers of one shape share theirs; `"max-layer"`, every layer begins like
            the largest; `"random-vector"`, d = int(N · ratio) + 1 values, tiled, N the size of the largest layer.
        keep: fraction of the weights that each layer keeps, in (0, 1], among those whose random value is not zero. With
            Bernoulli masks it is the initial probability: weights with less than 1/2 in the end are not kept. Or
            fractions by the full names of modules, as patterns: the first that matches applies (`erdos_renyi` makes
            them from shapes).
        ratio: with `random-vector`, its length as a fraction of the largest layer, in [0, 1]; by default 0.01.
        init: `"kaiming-normal"`, `"signed-constant"` or `"uniform"`, all with Kaiming's variance for the fan-in. By
            default signed constants for `full`, and the paper's normal values for its strategies.
        seed: of the format's generator: the same seed gives the same values on every machine.
        permute: with `random-vector`, permute the tiled vector as a whole before every layer takes its prefix. Without,
            it is tiled in order, as in the published experiments.
        zeros: fraction of the random values that are zero, in [0, 1). A mask has no bits there, so that a network costs
            less than one bit a weight; which weights these are is decided before training (compare Otsuka et al.,
            "Partially frozen random networks contain compact strong lottery tickets", 2024).
        sampler: `"edge-popup"` (the top `keep` of |score| in every layer) or `"bernoulli"` (drawn with probability
            sigmoid(score) in training; in evaluation, and in a packed file, what has at least 1/2) or `"ternary"` (as
            edge-popup, but a kept weight has the sign of its score, and one magnitude in every layer, that of Kaiming's
            rule: nothing is random but the first scores, and `strategy`, `init` and `ratio` have no meaning).
        zero: the value of a weight that is not kept: `"zero"`, or `"negated"` (a mask of signs).
        rescale: for `max-layer` and `random-vector`: multiply each layer so that its variance is that of its own
            fan-in. The published code gives every layer the variance of the largest.
        trained: whether the random values are trained, too, together with the masks; with `"ternary"` the magnitude of
            every layer. They are then in the file, 4 bytes a distinct value, instead of their seed.
        coats: how many masks are added, each within the one before, so that a weight is its value times 0, 1, …,
            `coats` (Okoshi et al., "Multicoated supermasks enhance hidden networks", ICML 2022): for `"ternary"`, and
            for edge-popup with `init="signed-constant"`. Of the kept weights the second of 3 masks keeps 2/3 and the
            third 1/3; or these shares, `(2/3, 1/3)`. The gradient passes through every mask.
        scope: which modules: a glob pattern of names (`"layer?.*"`), several, a function of name and module, or all.

    Returns:
        `model`.

    Raises:
        NetworkError: nothing to mask, an unknown option, or a weight that cannot be masked (already masked, tied to
            another module, computed by hooks, not float32, without values). The model is then unchanged.
        MaskRuleError: keep is outside its range.
    """
    if not isinstance(keep, Mapping):
        check_fraction(keep)
    if sampler not in SAMPLERS:
        raise NetworkError(f"sampler {sampler!r} is unknown: choose {' or '.join(SAMPLERS)}")
    if zero not in ("zero", "negated"):
        raise NetworkError(f"zero {zero!r} is unknown: choose zero or negated")
    if sampler == "ternary" and (permute or zeros or rescale or zero != "zero"):
        raise NetworkError("ternary weights have no random values: omit permute, zeros, rescale and zero")
    if trained and (zeros or permute):
        raise NetworkError("trained values stay neither zero nor repeated: omit trained, or zeros and permute")
    if strategy is None:
        strategy = strategies.DEFAULT
        of_vector = {"ratio": ratio is not None, "permute": permute, "rescale": rescale, "trained": trained}
        named = next((option for option, given in of_vector.items() if given), None)
        if named is not None and sampler != "ternary":
            raise NetworkError(f"{named} is an option of a random vector: choose strategy='random-vector' as well")
    init = strategies.default_init(strategy) if init is None else init
    further = shares(coats)
    if further and sampler != "ternary" and not (sampler == "edge-popup" and init == "signed-constant"):
        raise NetworkError("several coats require sampler='ternary', or init='signed-constant' with edge-popup")
    if further and (zeros or rescale or zero != "zero" or (trained and sampler != "ternary")):
        raise NetworkError("several coats are of one constant a layer: omit zeros, rescale, zero and trained, or coats")
    weights = list(weights_in_scope(model, scope))
    if not weights:
        raise NetworkError("there is no weight to mask: no linear, convolution or attention layer in the scope")
    names = {module: path for path, module in model.named_modules()}
    keeps = fractions(keep, [names[module] for module, _ in weights])
    if sampler == "bernoulli" and 1.0 in keeps:
        raise MaskRuleError("keep is 1, but a Bernoulli mask starts with a probability below 1")
    shapes = [tuple(getattr(module, name).shape) for module, name in weights]
    if sampler == "ternary":
        fillings = strategies.constants(shapes)
    else:
        fillings = strategies.plan(
            strategy, shapes, init=init, seed=seed, ratio=ratio, permute=permute, zeros=zeros, rescale=rescale
        )
    prototypes: dict[Generator, Prototype] = {}
    for (module, name), filling, fraction in zip(weights, fillings, keeps, strict=True):
        scores = getattr(module, name)
        if filling.generator not in prototypes or (sampler == "ternary" and trained):  # each layer its own magnitude
            prototypes[filling.generator] = Prototype(filling.generator, trained).to(scores.device)
        samplers.start(scores, sampler, fraction)
        scores.requires_grad_(True)  # frozen weights are what one masks, and scores are what is trained
        recipe = Recipe(filling.generator, fraction, sampler, zero, filling.factor, trained, further)
        parametrize.register_parametrization(
            module, name, MaskedFill(recipe, prototypes[filling.generator], scores.numel())
        )
    return model
