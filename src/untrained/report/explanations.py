"""What a study teaches: sections of its page, each only where the study has what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol

from untrained.algorithms.diverse import Breeding, Diverse, breedings
from untrained.algorithms.searcher import make_searcher
from untrained.algorithms.trial import Trial
from untrained.alignment import Motif, align, chart, cluster, contrasts, motifs, similarity_matrix
from untrained.architecture import Token
from untrained.errors import InputError
from untrained.report import explanatory_figures as figures
from untrained.report import tables
from untrained.report.generations import correlation, costs, generations, siblings
from untrained.report.standing import positions
from untrained.study.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go

CHARTED, MAPPED, CONTRASTED = 12, 30, 200
"""So many networks are charted, mapped by similarity and searched for contrasts."""
FEWEST_GENERATIONS, FEWEST_NETWORKS = 3, 5
ALIKE = 0.9
SIGNIFICANT = 0.05


class Show(Protocol):
    def __call__(self, figure: go.Figure, caption: str) -> str:
        """A figure with its caption as HTML."""


def sections(study: Study, show: Show) -> Iterator[tuple[str, str]]:
    """Titles and bodies. A space whose architectures cannot be aligned has none."""
    try:
        align(study.best_trial.architecture, study.best_trial.architecture)
    except InputError:
        return
    for title, body in (
        ("Generation by generation", _generations(study, show)),
        ("What the best have in common", _in_common(study, show)),
        ("Small changes, large effects", _contrasts(study)),
    ):
        if body:
            yield title, body


def _generations(study: Study, show: Show) -> str:
    found = generations(study)
    if len(found) < FEWEST_GENERATIONS:
        return ""
    r = correlation(found)
    single = study.setup["ranking"] in ("single", "first") and next(iter(study.directions.values())) > 0
    fitness = next(iter(study.directions)) if single else f"fitness ({study.setup['ranking']})"
    body = show(
        figures.fitness_and_similarity(found, f"best {fitness}"),
        "The best of each generation, and how alike its members are: the median similarity of all pairs (1: all the same "
        "network). "
        + ("" if r is None else f"Over the generations the two have Pearson's correlation {r:.2f}. ")
        + "Where the study does not say, a trial belongs to the generation after that of its youngest parent.",
    )
    bred = _bred(study)
    if bred and study.setup["options"].get("window") != "naive":
        fits = sum(one.fits for one in bred)
        body += show(
            figures.breeding(bred),
            f"Diversity was controlled: {fits} of {len(bred)} generations changed the similarity as the window (grey) "
            f"allows, after {sum(one.attempts for one in bred) / len(bred):.1f} attempts on average.",
        )
    body += _seeds(study, f"best {fitness}" if single else None, show)
    quantities = costs(study, found)
    if quantities:
        body += show(figures.costs_of_the_best(found, quantities), "What the best of each generation costs.")
    return body


def _seeds(study: Study, fitness: str | None, show: Show) -> str:
    """The same search from several seeds, where the store has it."""
    runs = {other.seed: generations(other) for other in siblings(study)}
    runs = {seed: run for seed, run in runs.items() if len(run) >= FEWEST_GENERATIONS}
    if len(runs) < 2:
        return ""
    correlations = [correlation(run) for run in runs.values()]
    known = [r for r in correlations if r is not None]
    cells = ["–" if r is None else f"{r:.2f}" for r in correlations]
    mean = f"{sum(known) / len(known):.3f}" if known else "–"
    return show(
        figures.over_seeds(list(runs.values()), fitness),
        f"The same search from {len(runs)} seeds, as the store has it: mean and standard deviation by generation.",
    ) + tables.table(
        ["seed", *map(str, runs), "mean"],
        [["correlation", *cells, mean]],
        caption="Pearson's correlation of best fitness and similarity over the generations of each seed.",
        texts=(0,),
    )


def _bred(study: Study) -> list[Breeding]:
    """How the generations of a study under control were bred; empty for others."""
    setup = study.setup
    if setup["algorithm"] != Diverse.name:
        return []
    searcher = make_searcher(Diverse.name, study.space, study.fitness, study.seed, dict(setup["options"]))
    # A trial that is missing was under way when the search ended; what came after it was not told.
    told = takewhile(lambda pair: pair[0] == pair[1].number, enumerate(study.trials))
    return breedings(searcher, [trial for _, trial in told])  # type: ignore[arg-type]


def _in_common(study: Study, show: Show) -> str:
    best = study.best_trials
    if len(best) < FEWEST_NETWORKS:
        return ""
    body = _chart(study, best[:CHARTED], show)
    mapped = best[:MAPPED]
    matrix = similarity_matrix([trial.architecture for trial in mapped])
    body += show(
        figures.similarity_map(matrix, cluster(matrix), _labels(mapped)),
        f"How alike the best {len(mapped)} networks are, in the order of their clusters: orange squares on the diagonal "
        "are families; the tree tells at which mean similarity they join.",
    )
    return body + _motifs(best)


def _chart(study: Study, trials: Sequence[Trial], show: Show) -> str:
    try:
        made = chart([trial.architecture for trial in trials])
    except InputError:
        return ""
    words = _key([token for trial in study.best_trials for token in study.space.tokens(trial.architecture)])
    shown = dict.fromkeys(token.symbol for row in made.rows for token in row if token)
    key = ", ".join(f"{symbol} {words[symbol]}" for symbol in shown)
    return show(
        figures.chart_of(made, _labels(trials)),
        f"The best {len(trials)} networks, best first, in columns that correspond, and what most of them have: {key}.",
    )


def _key(tokens: Sequence[Token]) -> dict[str, str]:
    """What symbols stand for; where several stand for one kind, with the parameters that tell them apart."""
    by_symbol: dict[str, list[Token]] = {}
    for token in tokens:
        by_symbol.setdefault(token.symbol, []).append(token)
    key = {}
    for symbol, own in by_symbol.items():
        others = [token for token in tokens if token.kind == own[0].kind and token.symbol != symbol]
        told = [
            f"{name}={value:g}"
            for name, value in own[0].parameters
            if others
            and all(token.get(name) == value for token in own)
            and not any(token.get(name) == value for token in others)
        ]
        key[symbol] = own[0].kind.replace("_", " ") + (f" ({', '.join(told)})" if told else "")
    return key


def _motifs(best: Sequence[Trial]) -> str:
    """Operations, and blocks of them, that the best tenth has more often than all."""
    group = best[: max(FEWEST_NETWORKS, len(best) // 10)]
    if len(best) < 4 * len(group):
        return ""
    chosen, everyone = [trial.architecture for trial in group], [trial.architecture for trial in best]
    return (
        "<h3>Operations of the best</h3>"
        + _frequencies(
            motifs(chosen, everyone, lengths=(1,)),
            len(best),
            f"How many of the best {len(group)} and of all {len(best):,} networks have an operation, and how likely a random "
            "draw of as many has it as often (Fisher's exact test; q is p corrected for the number of operations).",
        )
        + "<h3>Blocks of the best</h3>"
        + (
            _frequencies(
                [one for one in motifs(chosen, everyone, lengths=(2, 3)) if one.q < SIGNIFICANT][: tables.TOP],
                len(best),
                f"Two or three operations in a row that the best {len(group)} of {len(best):,} networks have more often "
                "than a random draw would (Fisher's exact test; q is p corrected for the number of blocks, below "
                f"{SIGNIFICANT:g} here).",
            )
            or f"<p>No block of two or three operations is more frequent in the best {len(group)} than by chance.</p>"
        )
    )


def _frequencies(found: Sequence[Motif], networks: int, caption: str) -> str:
    """A table of motifs; empty for none."""
    rows = [
        [
            f"<code>{escape(one.symbols)}</code>",
            escape(", ".join(kind.replace("_", " ") for kind in one.kinds)),
            f"{one.frequency:.0%}",
            f"{one.total / networks:.0%}",
            f"{one.enrichment:.2f}",
            f"{one.p:.2g}",
            f"{one.q:.2g}",
        ]
        for one in found
    ]
    heads = ["symbols", "operations", "of the best", "of all", "times as often", "p", "q"]
    return tables.table(heads, rows, caption=caption, texts=(0, 1)) if rows else ""


def _contrasts(study: Study) -> str:
    """Pairs that are nearly the same and far apart in the ranking."""
    best = study.best_trials
    compared = [best[i] for i in sorted({round(k * (len(best) - 1) / (CONTRASTED - 1)) for k in range(CONTRASTED)})]
    fitness = study.fitness(compared).tolist()
    found = contrasts([trial.architecture for trial in compared], fitness, similarity=ALIKE, count=tables.TOP)
    places = positions(study)
    by_network = {study.space.canonical(trial.architecture): trial for trial in compared}
    rows = []
    for one in found:
        better, worse = (by_network[study.space.canonical(arch)] for arch in (one.better, one.worse))
        rows.append(
            [
                f"#{better.number}",
                f"{places[better.number]:,}",
                f"#{worse.number}",
                f"{places[worse.number]:,}",
                f"{one.similarity:.3f}",
                _lines(one.alignment.edits),
                _lines(one.effects),
            ]
        )
    if not rows:
        return ""
    return tables.table(
        ["better", "position", "worse", "position", "similarity", "from better to worse", "the same change elsewhere"],
        rows,
        caption=f"Of {len(compared)} networks of all ranks, the pairs that are at least {ALIKE:g} alike and furthest apart "
        "in fitness; and what each of their changes did in all such pairs (where several come together, each is charged "
        "with the whole).",
        texts=(5, 6),
    )


def _lines(things: Sequence[object]) -> str:
    return "<br>".join(escape(str(thing).replace("->", "→")) for thing in things)


def _labels(trials: Sequence[Trial]) -> list[str]:
    return [f"#{trial.number}" for trial in trials]
