from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from plotly.offline import get_plotlyjs

from untrained.errors import InputError
from untrained.report.page import Extra, report_page, write_report
from untrained.report.training_run import TrainingRun

VOID = {"meta", "link", "br", "wbr", "hr", "img", "input"}


class Outline(HTMLParser):
    """Checks nesting; collects tags, ids, texts of headings and what would be loaded."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.loaded, self.scripts, self.texts = [], [], [], [], 0, {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append((tag, values))
        if "id" in values:
            self.ids.append(values["id"])
        self.loaded += [values[key] for key in ("src", "href", "data", "action") if key in values]
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


@pytest.fixture(scope="module")
def page(study):
    history = tuple(
        {"number": i, "loss": 1.0 / i, "train_accuracy": 0.5, "test_accuracy": 0.1 * i, "seconds": 1.0}
        for i in range(1, 4)
    )
    text = str(study.best_trial.architecture)
    runs = [
        TrainingRun("winner", study.best_trial.number, text, 0.9312, 1234, 2.0, "quick", 3, history),
        TrainingRun("median <random> candidate", None, text, 0.8765, 999, 2.0, "quick", 3, history),
    ]
    return report_page(study, extra=Extra(runs))


@pytest.fixture(scope="module")
def without_library(page):
    """The page less the library, which is inlined exactly once."""
    library = get_plotlyjs()
    assert page.count(library) == 1
    return page.replace(library, "")


def test_page_is_well_formed_with_headings_and_unique_ids(without_library):
    outline = Outline(without_library)
    assert len(outline.ids) == len(set(outline.ids))
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    titles = outline.texts["h2"]
    for title in ("The winner", "Trained", "The best", "How the search went", "What was lost"):
        assert title in titles


def test_page_loads_nothing(without_library):
    outline = Outline(without_library)
    assert [link for link in outline.loaded if not link.startswith(("#", "data:"))] == []
    assert "@import" not in without_library
    assert "url(" not in without_library
    policy = next(v["content"] for tag, v in outline.tags if v.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_names_and_reasons_cannot_become_markup(study, without_library):
    assert "<script>alert" not in without_library
    assert "<b>kernel" not in without_library
    outline = Outline(without_library)
    assert outline.texts["h1"] == [study.name]
    assert outline.texts["title"][0] == study.name
    # Of plotly: the settings, the library, and one call for each figure.
    assert outline.scripts == without_library.count('class="plotly-graph-div"') + 2


def test_every_figure_has_a_caption_and_an_alternative_text(without_library):
    figures = re.findall(r"<figure>(.*?)</figure>", without_library, re.DOTALL)
    assert len(figures) >= 6
    for figure in figures:
        assert re.search(r"<figcaption>[^<]{20,}</figcaption>", figure)
        assert 'role="img"' in figure
    assert all("aria-labelledby" in values for tag, values in Outline(without_library).tags if tag == "section")


def test_page_shows_the_winner_the_runs_and_the_command(study, without_library):
    assert study.space.draw(study.best_trial.architecture).svg() in without_library
    assert "93.12%" in without_library
    assert "87.65%" in without_library
    assert "median &lt;random&gt; candidate" in without_library
    assert "this study was not stored" in without_library.lower()


def test_same_study_gives_the_same_page(study, page):
    assert report_page(study) == report_page(study)
    assert page != report_page(study)


def test_command_is_shown_as_given(study):
    assert "<code>untrained search --x &#x27;&lt;y&gt;&#x27;</code>" in report_page(
        study, extra=Extra(command="untrained search --x '<y>'")
    )


def test_nothing_lost_is_said(make_study):
    calm = make_study(5)
    for trial in calm._trials.values():
        object.__setattr__(trial, "state", "complete")
        object.__setattr__(trial, "values", {"good": 1.0, "slow": 2.0})
        object.__setattr__(trial, "reasons", {})
    calm._known = {(calm.space.canonical(trial.architecture), 1.0): trial for trial in calm.trials}
    assert "no trial was rejected" in report_page(calm)


def test_write_report_writes_or_says_why_not(study, tmp_path):
    path = write_report(study, tmp_path / "a.html")
    assert path.read_text(encoding="utf-8") == report_page(study)
    with pytest.raises(InputError, match="cannot be written"):
        write_report(study, tmp_path / "missing" / "a.html")


def test_a_study_without_results_has_no_report(make_study, tmp_path):
    with pytest.raises(InputError, match="no complete trial"):
        write_report(make_study(0), tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()
