from __future__ import annotations

import json
import math

import numpy as np
import pytest

from untrained.algorithms.diverse import Breeding
from untrained.algorithms.trial import Trial
from untrained.algorithms.windows import Bounds
from untrained.alignment import chart, cluster, similarity_matrix
from untrained.architecture import Architecture
from untrained.report import explanatory_figures as figures
from untrained.report.generations import Generation
from untrained.seeds import generator
from untrained.spaces.space import space


def data(figure):
    """What the browser will be given."""
    return json.loads(figure.to_json())["data"]


def layout(figure):
    return json.loads(figure.to_json())["layout"]


def some_generations():
    trial = Trial(7, Architecture.parse("chain:C16k3s1-g"))
    pairs = [(0.5, 0.25), (0.75, 0.5), (-math.inf, None), (1.0, 0.75)]
    return [Generation(i, (trial,) * 5, trial, *pair) for i, pair in enumerate(pairs, 1)]


def test_fitness_and_similarity_share_the_generations_but_no_axis():
    figure = figures.fitness_and_similarity(some_generations(), "best <accuracy>")
    fitness, similarity = data(figure)
    assert fitness["x"] == similarity["x"] == [1, 2, 3, 4]
    assert fitness["y"] == [0.5, 0.75, None, 1.0]
    assert similarity["y"] == [0.25, 0.5, None, 0.75]
    assert (fitness["yaxis"], similarity["yaxis"]) == ("y", "y2")
    assert fitness["name"] == "best &lt;accuracy&gt;"
    assert layout(figure)["yaxis"]["title"]["text"] == "best &lt;accuracy&gt;"
    assert fitness["text"][0] == "generation 1: 5 trials, best #7"


def test_costs_have_a_panel_each():
    quantities = {"parameters": [1.0, 2.0, None, 3.0], "inference_time": [4.0, 3.0, 2.0, 1.0]}
    figure = figures.costs_of_the_best(some_generations(), quantities)
    one, two = data(figure)
    assert (one["y"], two["y"]) == ([1.0, 2.0, None, 3.0], [4.0, 3.0, 2.0, 1.0])
    assert one["xaxis"] != two["xaxis"]
    assert [layout(figure)[axis]["title"]["text"] for axis in ("yaxis", "yaxis2")] == ["parameters", "inference time"]


def test_breeding_shows_changes_within_and_beyond_the_window():
    bred = [
        Breeding(1, 1, 0.2, 0.3, 0.35, Bounds(0.0, 0.1)),
        Breeding(2, 30, 0.12, 0.35, 0.6, Bounds(0.0, 0.09)),
        Breeding(3, 4, 0.18, 0.6, 0.62, Bounds(-math.inf, 0.08, most=0.65)),
    ]
    figure = figures.breeding(bred)
    least, allowed, within, beyond = data(figure)
    bottom, top = layout(figure)["yaxis"]["range"]
    assert bottom < 0
    assert top > 0.25
    assert least["y"] == [0.0, 0.0, bottom]
    assert allowed["y"] == pytest.approx([0.1, 0.09, 0.05])
    assert (within["x"], beyond["x"]) == ([1, 3], [2])
    assert within["y"] + beyond["y"] == pytest.approx([0.05, 0.02, 0.25])
    assert beyond["text"] == ["attempt 30, mutation rate 0.12"]


@pytest.mark.parametrize(("features", "shown"), [(3, ["1", "2", "3", "4"]), (22, ["5", "10", "15", "20"])])
def test_long_sequences_are_numbered_by_fives(features, shown):
    one = "chain:" + "C16k3s1-" * features + "g"
    figure = figures.chart_of(chart([Architecture.parse(one, strict=False)] * 2), ["#1", "#2"])
    assert [text for text in layout(figure)["xaxis"]["ticktext"] if text] == shown


def test_a_chart_has_a_cell_for_every_token_and_none_for_gaps():
    members = ["chain:C16k3s1-B-L-g", "chain:C16k3s1-L-g", "chain:C16k3s1-B-L-M2-G", "chain:Dk3s1-B-L-g"]
    made = chart(members)
    figure = figures.chart_of(made, ["#1", "#2", "#3", "#<4>"])
    (cells,) = data(figure)
    assert cells["text"][:4] == [
        ["C", "B", "L", "", "g"],
        ["C", "", "L", "", "g"],
        list("CBLMG"),
        ["D", "B", "L", "", "g"],
    ]
    assert cells["text"][4:] == [[""] * 5, ["C", "B", "L", "", "g"]]
    kinds = {}
    for row, numbers in zip(made.rows, cells["z"], strict=False):
        for token, number in zip(row, numbers, strict=True):
            assert (token is None) == (number is None)
            if token is not None:
                assert kinds.setdefault(token.kind, number) == number
    assert len(set(kinds.values())) == len(kinds) == 7
    assert cells["z"][4] == [None] * 5
    assert cells["z"][5] == cells["z"][0]
    assert cells["customdata"][5][0] == "conv in 75%"
    assert cells["customdata"][5][3] == "nothing in 75%"
    assert cells["customdata"][2][3] == "max_pool(pool=2)"
    # Each kind has a colour of its own, in equal steps from the first number to the last.
    ends = [end for end, _ in cells["colorscale"]]
    assert ends == pytest.approx([k / 7 for i in range(7) for k in (i, i + 1)])
    assert len({colour for _, colour in cells["colorscale"]}) == 7
    assert (cells["zmin"], cells["zmax"]) == (-0.5, 6.5)
    assert layout(figure)["yaxis"]["ticktext"] == ["#1", "#2", "#3", "#&lt;4&gt;", "consensus"]
    assert layout(figure)["xaxis"]["ticktext"] == ["1", "2", "3", "4", "5"]


def test_a_chart_of_places_names_them():
    rng = generator("places")
    made = chart([space("nats-tss").sample(rng) for _ in range(3)])
    assert layout(figures.chart_of(made, ["a", "b", "c"]))["xaxis"]["ticktext"] == list(made.heads)


def test_the_map_is_the_matrix_in_the_order_of_the_tree():
    rng = generator("map")
    matrix = similarity_matrix([space("nats-tss").sample(rng) for _ in range(9)])
    clusters = cluster(matrix)
    figure = figures.similarity_map(matrix, clusters, [f"#{i}" for i in range(9)])
    *links, cells = data(figure)
    order = clusters.order.tolist()
    np.testing.assert_allclose(cells["z"], matrix[np.ix_(order, order)], atol=5e-5)
    names = [f"#{i}" for i in order]
    assert layout(figure)["xaxis2"]["ticktext"] == layout(figure)["yaxis2"]["ticktext"] == names
    assert cells["customdata"][0][1] == f"{names[0]} and {names[1]}"
    # A link joins what is left and right of it, at the similarity of the two clusters.
    assert len(links) == 8
    assert sorted(max(1 - y for y in link["y"]) for link in links) == pytest.approx(sorted(clusters.linkage[:, 2]))
    feet = [x for link in links for x, y in zip(link["x"], link["y"], strict=True) if y == 1 and x == round(x)]
    assert sorted(set(feet)) == list(range(9))
    pair = next(link for link in links if link["y"][0] == link["y"][3] == 1)
    left, right = (order[int(x)] for x in (pair["x"][0], pair["x"][3]))
    assert pair["y"][1] == pytest.approx(matrix[left, right])
