"""What a metric is, and how several of them are read off one network together."""

from __future__ import annotations

import functools
import inspect
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from untrained.architecture import Architecture
from untrained.errors import InputError, NetworkError, UnknownNameError, check_type
from untrained.metrics.auto import AUTO, Automatic, parameter_sample
from untrained.metrics.reading import Reading as Reading
from untrained.metrics.reading import Scores
from untrained.probe.observation import Observation
from untrained.probe.probe import Probe, Size, check_images, quiet
from untrained.probe.setting import Setting
from untrained.probe.undefined import Undefined as Undefined
from untrained.registry import METRICS, summary
from untrained.seeds import derive
from untrained.spaces.space import Skeleton, Space, create_model
from untrained.spaces.space import space as find_space

Formula = Callable[..., float]
LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class Metric:
    """A formula over one observation, with what it needs to be computed and understood.

    better: whether higher or lower values promise higher accuracy; setting: batch, initialiser, repeats; needs: what it
    asks an observation for; paper: a key of the bibliography; auto: what `auto` means, for options that may be that;
    legacy: the setting of the published code, where that differs, which ``name(legacy)`` asks for; check: refuses options
    that make no sense together.
    """

    name: str
    formula: Formula
    better: Literal["higher", "lower"]
    setting: Setting
    needs: frozenset[str]
    paper: str
    auto: Mapping[str, Automatic] = field(default_factory=dict, compare=False)
    legacy: Setting | None = None
    check: Callable[..., None] | None = field(default=None, compare=False)

    @property
    def summary(self) -> str:
        return summary(getattr(self.formula, "func", self.formula))

    @property
    def direction(self) -> int:
        return 1 if self.better == "higher" else -1

    def __call__(self, observation: Observation) -> float:
        return self.formula(observation)


def metric(
    name: str,
    *,
    better: Literal["higher", "lower"] = "higher",
    setting: Setting | None = None,
    needs: Iterable[str] = (),
    paper: str = "",
    auto: Mapping[str, Automatic] | None = None,
    legacy: Setting | None = None,
    check: Callable[..., None] | None = None,
) -> Callable[[Formula], Formula]:
    """Register a function of an :class:`Observation` as the metric `name`. With `legacy`, a formula that has an option of
    that name is told when the published code's ways are wanted."""

    def decorate(formula: Formula) -> Formula:
        found = Metric(name, formula, better, setting or Setting(), frozenset(needs), paper, auto or {}, legacy, check)
        METRICS.add(name, found)
        return formula

    return decorate


def find_metrics(names: str | Iterable[str | Metric]) -> list[Metric]:
    """The metrics called `names`, or the one; refuses an empty list and repeated names."""
    check_type(names, Iterable, "metrics are given by name, one or several")
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        check_type(name, (str, Metric), "a metric is given by name")
    found = [_with_options(name) if isinstance(name, str) else name for name in names]
    if not found:
        raise InputError("no metric was named; see `untrained metrics` for the list")
    if len({m.name for m in found}) < len(found):
        raise InputError(f"a metric is named twice: {', '.join(m.name for m in found)}")
    return found


def _with_options(text: str) -> Metric:
    """The metric of ``name`` or of ``name(option=number, ...)``; some options may be `auto`, see :func:`settled`, and
    `legacy` stands alone."""
    text = text.replace(" ", "")
    name, bracket, inside = text.partition("(")
    plain: Metric = METRICS[name]
    if not bracket:
        return plain
    if not inside.endswith(")"):
        raise InputError(f"{text!r} is no metric; expected something like 'swap(mu=1,sigma=1)'")
    options: dict[str, float | str] = {}
    keywords = [p.name for p in inspect.signature(plain.formula).parameters.values() if p.kind is p.KEYWORD_ONLY]
    known = [option for option in keywords if option != LEGACY]
    items = inside[:-1].split(",")
    if plain.legacy is not None and LEGACY in items:
        items.remove(LEGACY)
        plain = replace(plain, setting=plain.legacy)
        options |= {LEGACY: True} if LEGACY in keywords else {}
    for item in items:
        option, _, number = item.partition("=")
        if option == LEGACY and plain.legacy is not None:
            raise InputError(f"'legacy' stands alone and once, as in '{name}(legacy)', not as in {text!r}")
        if option not in known:
            choices = [*known, *([LEGACY] if plain.legacy else [])] or ["none: it has no options"]
            raise UnknownNameError(f"option of {name}", option, choices)
        if option in options:
            raise InputError(f"the option {option!r} of {name!r} is given twice")
        automatic = option in plain.auto
        value = AUTO if automatic and number == AUTO else _finite(number)
        if value is None:
            wanted = f"a number or {AUTO!r}" if automatic else "a number"
            raise InputError(f"the option {option!r} of {name!r} takes {wanted}, not {number!r}")
        options[option] = value
    if plain.check is not None:
        plain.check(**options)
    return replace(plain, name=text, formula=functools.partial(plain.formula, **options))


def _finite(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def settled(
    metrics: Iterable[Metric],
    space: Space,
    skeleton: Skeleton | str | None = None,
    *,
    seed: int = 0,
    num_classes: int = 10,
    in_chans: int = 3,
) -> list[Metric]:
    """The metrics with numbers instead of `auto`, in their names, too.

    The numbers come from the parameter counts of random architectures of `space`, drawn with `seed` and built in
    `skeleton`: the one whose sizes the metric will be given.
    """

    @functools.cache
    def parameters() -> np.ndarray:
        return parameter_sample(space, skeleton, seed=seed, num_classes=num_classes, in_chans=in_chans)

    found = []
    for one in metrics:
        options = _options(one)
        numbers = {option: value for option, value in options.items() if value != AUTO}
        if len(numbers) < len(options):
            name = one.name
            for option in options.keys() - numbers.keys():
                number = format(one.auto[option](parameters(), **numbers), ".4g")
                name = name.replace(f"{option}={AUTO}", f"{option}={number}")
            one = _with_options(name)
        found.append(one)
    return found


def _options(metric: Metric) -> dict[str, float | str]:
    return dict(metric.formula.keywords) if isinstance(metric.formula, functools.partial) else {}


def score(
    network: nn.Module | Architecture | str,
    images: Tensor,
    labels: Tensor | None = None,
    metrics: str | Iterable[str | Metric] = ("swap", "nwot"),
    *,
    seed: int = 0,
    weights: str | None = None,
    settings: Mapping[str, Setting] | None = None,
    num_classes: int | None = None,
    skeleton: Skeleton | str | None = None,
    size: Size | None = None,
) -> Scores:
    """Training-free scores of a network.

    network: any `nn.Module` (left exactly as it was), an architecture, or its text. images: (n, c, h, w), normalised;
    every metric uses the first ones, as many as its setting says. labels: (n,) class numbers, for metrics that need
    them. weights: an initialiser for all metrics instead of their own, or `"keep"` for the network's own weights.
    settings: other settings by metric name. num_classes and skeleton build an architecture. size: parameters and MACs
    to report instead of the network's own, when a small stand-in is scored for a larger network.

    Returns a `Reading` by metric name; printed, they are a table. Raises `InputError` for what cannot be scored at all.
    """
    chosen = find_metrics(metrics)
    if isinstance(network, nn.Module) or size is not None:
        for one in chosen:
            if AUTO in _options(one).values():
                raise InputError(
                    f"{one.name!r} takes its numbers from the sizes of a space, and a network by itself has none; give "
                    "numbers, as in 'swap(mu=1,sigma=1)', or an architecture without `size`"
                )
    if not isinstance(network, nn.Module | Architecture | str):
        raise InputError(f"a network is an nn.Module, an architecture or its text, not {type(network).__name__}")
    with _plain_torch():
        if isinstance(images, Tensor):
            images = images.detach()
        check_images(images, labels)
        return _score(network, images, labels, chosen, seed, weights, settings, num_classes, skeleton, size)


def _score(
    network: nn.Module | Architecture | str,
    images: Tensor,
    labels: Tensor | None,
    chosen: list[Metric],
    seed: int,
    weights: str | None,
    settings: Mapping[str, Setting] | None,
    num_classes: int | None,
    skeleton: Skeleton | str | None,
    size: Size | None,
) -> Scores:
    architecture = None
    if not isinstance(network, nn.Module):
        architecture = Architecture.parse(network) if isinstance(network, str) else network
        smallest = find_space(architecture.space).minimum_image_size
        if min(images.shape[2:]) < smallest:
            height, width = images.shape[2:]
            raise InputError(
                f"{architecture.space} needs images of at least {smallest}x{smallest}, not {height}x{width}"
            )
        if num_classes is None:
            num_classes = max(2, int(labels.max()) + 1) if labels is not None else 10
        what = {"num_classes": num_classes, "in_chans": images.shape[1]}
        numbered = settled(chosen, find_space(architecture.space), skeleton, seed=seed, **what)
        chosen = [replace(found, name=one.name) for found, one in zip(numbered, chosen, strict=True)]
        with quiet(derive(seed, "network")):
            network = create_model(architecture, skeleton=skeleton, **what)
    # Losses take class numbers of this type alone.
    labels = None if labels is None else labels.long()
    for name in settings or {}:
        if name not in (names := [one.name for one in chosen]):
            raise UnknownNameError("metric among those that are scored", name, names)
    groups: dict[Setting, list[Metric]] = defaultdict(list)
    for one in chosen:
        setting = (settings or {}).get(one.name, one.setting)
        if setting.labels and labels is None:
            raise InputError(f"the metric {one.name!r} needs labels, and none were given")
        groups[replace(setting, weights=weights) if weights else setting].append(one)
    readings: dict[str, Reading] = {}
    for setting, members in groups.items():
        needs = frozenset[str]().union(*(m.needs for m in members))
        probe = Probe(
            network, images, labels, setting=setting, seed=seed, needs=needs, size=size, architecture=architecture
        )
        for one in members:
            readings[one.name] = read(one, probe)
        probe.forget()
    return Scores(
        {one.name: readings[one.name] for one in chosen},
        {one.name: one.better for one in chosen},
        {one.name: one.summary for one in chosen},
    )


@contextmanager
def _plain_torch() -> Iterator[None]:
    """Inside, torch computes as it does by default, whatever the caller is in the middle of: scores depend on the network,
    the images and the seed, not on `inference_mode`, `autocast`, a default type or a default device."""
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.get_default_dtype() != torch.float32:
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float32)
        yield


def read(metric: Metric, probe: Probe) -> Reading:
    """`metric` of every initialisation of `probe`, averaged; a value that is not finite becomes a reason."""
    start = time.perf_counter()
    try:
        values = tuple(float(metric(observation)) for observation in probe)
    except Undefined as why:
        return Reading(None, time.perf_counter() - start, str(why))
    except NetworkError as why:
        return Reading(None, time.perf_counter() - start, str(why).splitlines()[0])
    except InputError:
        raise
    except (RuntimeError, ArithmeticError, ValueError, IndexError) as error:
        # What cannot be computed for this network (a shape, a derivative, a spectrum) is a property of the pair, no fault.
        first = next(iter(str(error).splitlines()), "") or "no message"
        return Reading(None, time.perf_counter() - start, f"{type(error).__name__.lstrip('_')}: {first}")
    seconds = time.perf_counter() - start
    value = math.fsum(values) / len(values) if all(map(math.isfinite, values)) else _worst(values)
    if math.isfinite(value):
        return Reading(value, seconds, None, values)
    return Reading(None, seconds, f"{metric.name} is {value}, not a finite number", values)


def _worst(values: tuple[float, ...]) -> float:
    return next(value for value in values if not math.isfinite(value))
