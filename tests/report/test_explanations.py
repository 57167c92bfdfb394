"""Which sections a study has, and what they say."""

from __future__ import annotations

import re
from html import escape

import numpy as np
import pytest
from recorded_study import recorded

from untrained.algorithms.diverse import breedings
from untrained.algorithms.searcher import make_searcher
from untrained.algorithms.trial import Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.report import explanations
from untrained.report.generations import correlation, generations, siblings
from untrained.report.page import report_page
from untrained.seeds import generator
from untrained.spaces.choices import define_space
from untrained.spaces.space import space
from untrained.study.evonas import import_evonas
from untrained.study.journal import Journal

TITLES = ["Generation by generation", "What the best have in common", "Small changes, large effects"]
CONTROL = {"algorithm": "diverse", "ranking": "first", "options": {"population": 10, "generations": 12, "attempts": 6}}


class Shown:
    """Collects what would be drawn; the HTML of a figure is its caption, escaped as on the page."""

    def __init__(self):
        self.figures = []

    def __call__(self, figure, caption):
        self.figures.append(figure)
        return f"[{escape(caption, quote=False)}]"


def told(study):
    """The sections of a study by title."""
    return dict(explanations.sections(study, Shown()))


def family(count, place=None, seed=0):
    """Trials of a random architecture and its descendants; more values are better."""
    place = place or space("chain")
    rng = generator("explained", seed)
    trials = [Trial(0, place.sample(rng), values={"accuracy": 0.0})]
    while len(trials) < count:
        parent = trials[int(rng.integers(len(trials)))]
        child = place.edit(parent.architecture, rng)
        trials.append(Trial(len(trials), child, (parent.number,), "mutation", values={"accuracy": float(rng.random())}))
    return trials


@pytest.fixture(scope="module")
def controlled(make_study):
    return make_study(120, **CONTROL)


def test_a_long_search_has_every_section(controlled):
    sections = told(controlled)
    assert list(sections) == TITLES
    r = correlation(generations(controlled))
    assert f"Pearson's correlation {r:.2f}" in sections[TITLES[0]]
    assert "Diversity was controlled" in sections[TITLES[0]]
    assert "What the best of each generation costs" in sections[TITLES[0]]
    assert "The best 12 networks" in sections[TITLES[1]]
    assert "the best 30 networks are" in sections[TITLES[1]]
    assert "Blocks of the best" in sections[TITLES[1]]
    page = report_page(controlled)
    assert page.index("The winner</h2>") < page.index(f"{TITLES[0]}</h2>") < page.index(f"{TITLES[2]}</h2>")


def test_how_populations_were_bred_is_computed_from_the_trials(controlled):
    bred = explanations._bred(controlled)
    fits = sum(one.fits for one in bred)
    assert f"{fits} of {len(bred)} generations" in told(controlled)[TITLES[0]]
    # The same from the search itself, which nobody interrupted.
    searcher = make_searcher("diverse", controlled.space, controlled.fitness, controlled.seed, CONTROL["options"])
    found = {}
    for trial in controlled.trials:
        found[searcher.generation] = searcher.breeding
        searcher.tell(trial)
    found[searcher.generation] = searcher.breeding
    assert [one for one in found.values() if one] == bred
    assert len(bred) >= 8


def test_only_what_was_told_counts_as_bred(make_study):
    study = make_study(60, name="gap", **CONTROL)
    whole = explanations._bred(study)
    del study._trials[35]
    searcher = make_searcher("diverse", study.space, study.fitness, study.seed, CONTROL["options"])
    assert explanations._bred(study) == breedings(searcher, study.trials[:35]) == whole[: searcher.generation]
    assert 0 < searcher.generation < len(whole)


def test_a_search_without_control_says_nothing_of_it(study, make_study):
    assert "controlled" not in told(study)[TITLES[0]]
    naive = make_study(60, name="naive", algorithm="diverse", options={"population": 10, "window": "naive"})
    assert "controlled" not in told(naive)[TITLES[0]]


def test_without_descent_there_are_no_generations():
    trials = family(30)
    trials = [Trial(t.number, t.architecture, values=t.values) for t in trials]
    assert TITLES[0] not in told(recorded(trials))
    assert TITLES[1] in told(recorded(trials))


def test_few_networks_have_nothing_in_common():
    assert told(recorded(family(3)[:1])) == {}
    assert TITLES[1] not in told(
        recorded([Trial(n, family(1)[0].architecture, values={"accuracy": 1.0}) for n in range(9)])
    )


def test_equal_fitness_makes_no_contrasts():
    trials = [Trial(t.number, t.architecture, t.parents, t.operator, values={"accuracy": 1.0}) for t in family(30)]
    assert TITLES[2] not in told(recorded(trials))
    assert TITLES[2] in told(recorded(family(30)))


def test_contrasts_go_from_the_better_to_the_worse():
    study = recorded(family(40))
    rows = re.findall(r"<tr>(.*?)</tr>", told(study)[TITLES[2]])[1:]
    assert 0 < len(rows) <= 10
    accuracy = {trial.number: trial.values["accuracy"] for trial in study.trials}
    gaps = []
    for row in rows:
        better, first, worse, second, alike, changes, effects = re.findall(r"<td[^>]*>(.*?)</td>", row)
        assert int(first) < int(second)
        assert float(alike) >= 0.9
        assert "→" in changes or "+ " in changes or "- " in changes
        assert "hurts" in effects
        gaps.append(accuracy[int(better[1:])] - accuracy[int(worse[1:])])
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] > 0


def test_blocks_of_the_best_have_their_p_values():
    rng = generator("blocks")
    chain = space("chain")
    trials = []
    while len(trials) < 80:
        architecture = chain.sample(rng)
        score = str(architecture).count("-B-L-") + rng.random() / 10
        trials.append(Trial(len(trials), architecture, values={"accuracy": float(score)}))
    body = told(recorded(trials))[TITLES[1]]
    assert "batch norm, relu" in body
    share = sum("-B-L-" in str(trial.architecture) for trial in trials) / 80
    row = next(row for row in re.findall(r"<tr>(.*?)</tr>", body) if "<code>BL</code>" in row)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
    assert cells[2:4] == ["100%", f"{share:.0%}"]
    assert float(cells[4]) == pytest.approx(1 / share, abs=0.006)
    assert float(cells[5]) <= float(cells[6]) < 0.05
    flat = [Trial(t.number, t.architecture, values={"accuracy": float(rng.random())}) for t in trials]
    assert "than by chance" in told(recorded(flat))[TITLES[1]]


def test_cells_of_different_edges_have_a_map_but_no_chart():
    body = told(recorded(family(20, space("nasbench101")), "nasbench101", target="channels=16"))[TITLES[1]]
    assert "in columns that correspond" not in body
    assert "in the order of their clusters" in body


def test_a_space_that_cannot_be_aligned_has_no_section(study, monkeypatch):
    def refuse(*pair):
        raise InputError("cells of at most 12 operations can be compared, not of 13")

    monkeypatch.setattr(explanations, "align", refuse)
    assert told(study) == {}
    assert TITLES[0] not in report_page(study)


def test_words_of_a_users_space_cannot_become_markup():
    numbers = {f"n{k}": [1, 2, 3] for k in range(14)}

    @define_space("hostile", a=["<b>", "<script>alert(1)</script>", "c"], d=["<i>", "&", "e"], **numbers)
    def build(choice, num_classes, in_chans, channels):
        from torch import nn

        return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, num_classes))

    trials = []
    for trial in family(120, space("hostile")):
        words = trial.architecture.genes[:2]
        values = {"accuracy": 3.0 - sum(words) + trial.values["accuracy"] / 10}
        trials.append(Trial(trial.number, trial.architecture, trial.parents, trial.operator, values=values))
    shown = Shown()
    sections = dict(explanations.sections(recorded(trials, "hostile"), shown))
    assert list(sections) == TITLES
    assert "&lt;script&gt;alert" in sections[TITLES[1]]
    assert re.search("<code>[^<]*&lt;", sections[TITLES[1]])
    assert "&lt;" in sections[TITLES[2]]
    assert not re.search(r"<(script|b|i)\b", "".join(sections.values()))
    drawn = "".join(figure.to_json() for figure in shown.figures)
    assert not re.search(r"<(script|b|i)\b", drawn.encode().decode("unicode_escape"))


def test_a_published_run_is_explained(shared_data):
    study = import_evonas(shared_data / "official" / "cifar10_s4_naive.evonas")
    sections = told(study)
    assert list(sections) == TITLES
    assert "Pearson's correlation 0.55" in sections[TITLES[0]]
    page = report_page(study)
    assert "not trained: its fitness is" in page
    broken = next(t for t in study.best_trials if study.space.violations(t.architecture))
    assert study.best_trials.index(broken) < 10
    assert "–" in page
    assert Architecture.parse(str(broken.architecture), strict=False) == broken.architecture


def test_symbols_are_told_apart_where_they_stand_for_one_kind():
    tokens = [
        token
        for text in ("chain:R16k3s1-r32k3s2-R64k5s2-B-g", "chain:r16k5s1-M2-T32k3s1-E")
        for token in space("chain").tokens(Architecture.parse(text, strict=False))
    ]
    key = explanations._key(tokens)
    assert key["R"] == "residual (skip=1)"
    assert key["r"] == "residual (skip=0)"
    assert key["T"] == "bottleneck"
    assert key["g"] == "global avg pool"


def test_every_operation_has_its_share_among_the_best_and_among_all():
    trials = family(60)
    body = told(recorded(trials))["What the best have in common"]
    single = body.split("<h3>Operations of the best</h3>")[1].split("<h3>Blocks of the best</h3>")[0]
    symbols = {token.symbol for trial in trials for token in space("chain").tokens(trial.architecture)}
    assert set(re.findall(r"<code>(.*?)</code>", single)) == symbols


def test_the_same_search_from_other_seeds_is_shown_beside(make_study):
    journal = Journal()
    control = {**CONTROL, "options": {"population": 10, "generations": 4}, "objectives": {"good": 1, "slow": -1}}
    studies = [make_study(50, journal=journal, name=f"run-{seed}", seed=seed, **control) for seed in (1, 2, 5)]
    make_study(50, journal=journal, name="walk-3", seed=3, **control)  # another name
    make_study(50, journal=journal, name="run-4", seed=4, **{**control, "options": {"population": 12}})
    make_study(0, journal=journal, name="run-6", seed=6, **control)  # nothing in it yet
    make_study(10, journal=journal, name="run-9", seed=2, **control)  # the same seed once more
    assert [other.name for other in siblings(studies[1])] == ["run-1", "run-2", "run-5", "run-6"]
    shown = Shown()
    body = dict(explanations.sections(studies[0], shown))["Generation by generation"]
    assert "The same search from 3 seeds" in body
    heads = re.findall(r"<th scope=\"col\" class=\"\w+\">(.*?)</th>", body)
    assert heads == ["seed", "1", "2", "5", "mean"]
    expected = [correlation(generations(one)) for one in studies]
    cells = re.findall(r"<td class=\"number\">(.*?)</td>", body)
    assert cells == [*(f"{r:.2f}" for r in expected), f"{sum(expected) / 3:.3f}"]
    # Mean and deviation of the second generation, by hand.
    bands = shown.figures[2].data
    seconds = [generations(one)[1] for one in studies]
    for traces, values in ((bands[:3], [g.fitness for g in seconds]), (bands[3:], [g.similarity for g in seconds])):
        low, high, middle = (trace.y[1] for trace in traces)
        assert middle == pytest.approx(np.mean(values))
        assert high - middle == pytest.approx(middle - low) == pytest.approx(np.std(values, ddof=1))


def test_a_single_seed_has_no_bands(controlled):
    assert "seeds" not in told(controlled)["Generation by generation"]
