"""Tables of substitution costs: the published one entry by entry, and the rule for all other spaces."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from untrained.alignment.costs import MISMATCH, chain, chain_legacy, family, general
from untrained.architecture import Token
from untrained.errors import InputError
from untrained.spaces.chain import VOCABULARY
from untrained.spaces.space import space


def token(symbol: str, **parameters: float) -> Token:
    return next(
        one for one in VOCABULARY if one.symbol == symbol and parameters.items() <= dict(one.parameters).items()
    )


BLOCK = {"filters": 16, "kernel": 3, "stride": 1}
FAR = {"filters": 128, "kernel": 7, "stride": 2}


@pytest.mark.parametrize(
    ("first", "second", "points"),
    [
        (token("C", filters=16, kernel=1, stride=1), token("C", filters=128, kernel=7, stride=2), 3 - 0.6 - 0.8 - 0.6),
        (token("C", filters=16, kernel=1, stride=1), token("C", filters=32, kernel=1, stride=1), 3 - 0.6 * 16 / 112),
        (token("D", kernel=1, stride=1), token("D", kernel=7, stride=2), 3 - 1.2 - 0.8),
        (token("C", filters=16, kernel=1, stride=1), token("D", kernel=4, stride=2), 2 - 1.2 * 3 / 6 - 0.8),
        (token("M", pool=2), token("M", pool=4), 2.0),
        (token("M", pool=2), token("A", pool=3), 1.5),
        (token("g"), token("g"), 1.5),
        (token("g"), token("G"), 0.5),
        (token("E"), token("g"), 0.5),
        (token("L"), token("L"), 1.0),
        (token("B"), token("I"), 1.0),
        (token("I"), token("I"), 2.0),
        (token("O", rate=0.0), token("O", rate=0.4), 2 - 2 * 0.4 / 0.5),
        (token("F", units=16), token("F", units=96), 1.0),
        (token("R", **BLOCK), token("R", **FAR), 7 - 2.0),
        (token("r", **BLOCK), token("r", **FAR), 7 - 2.0),
        (token("R", **BLOCK), token("T", **FAR), 5 - 2.0),
        (token("R", **BLOCK), token("r", **FAR), 5 - 2.0),
        (token("T", **BLOCK), token("t", **FAR), 5 - 2.0),
        (token("r", **BLOCK), token("t", **FAR), 4 - 2.0),
        (token("R", **BLOCK), token("t", **FAR), 3 - 2.0),
        (token("T", **BLOCK), token("r", **FAR), 3 - 2.0),
        (token("C"), token("L"), -2.0),
        (token("L"), token("B"), -1.0),
    ],
)
def test_published_points(first: Token, second: Token, points: float) -> None:
    for model in (chain, chain_legacy):
        assert model([first, second])[0, 1] == pytest.approx(points)
    assert chain([first, second])[1, 0] == pytest.approx(points)


def test_the_published_code_looks_at_the_first_symbol_of_a_mismatch() -> None:
    pairs = ("EG", "Eg", "CL", "LC", "gC")
    seen = {pair: chain_legacy([token(pair[0]), token(pair[1])]) for pair in pairs}
    assert [seen[pair][0, 1] for pair in pairs] == [0.5, 0.5, -2.0, -1.0, -1.0]
    assert [seen[pair][1, 0] for pair in pairs] == [-1.0, -1.0, -1.0, -2.0, -2.0]


def test_the_chain_table_is_symmetric_and_every_token_resembles_itself_most() -> None:
    for model in (chain, chain_legacy):
        table = model(VOCABULARY)
        own = np.diagonal(table)
        assert (own > 0.0).all()
        assert (table < (own[:, None] + own) / 2 + np.eye(len(own))).all()
    assert np.array_equal(chain(VOCABULARY), chain(VOCABULARY).T)
    assert set(MISMATCH) == {one.symbol for one in VOCABULARY}


def test_unknown_symbols_have_no_published_points() -> None:
    with pytest.raises(InputError, match="not 'P'"):
        chain([Token("P", "stft")])


def test_the_general_rule() -> None:
    wide, narrow = Token("c", "my_conv", (("width", 64.0),)), Token("c", "my_conv", (("width", 16.0),))
    other, pool = Token("d", "dil_conv", (("rate", 2.0),)), Token("p", "max_pool_3x3")
    unknown, stranger = Token("?", "fourier", (("modes", 0.0),)), Token("!", "wavelet")
    table = general([wide, narrow, other, pool, unknown, stranger])
    assert np.diagonal(table).tolist() == [3.0] * 6
    assert table[0, 1] == pytest.approx(3.0 * (1 - 2 / 3 * 48 / 64))
    assert table[0, 2] == 2.0
    assert (table[0, 3], table[0, 4], table[4, 5]) == (-2.0, -2.0, -2.0)
    assert np.array_equal(table, table.T)


def test_places_do_not_count() -> None:
    here, there = (Token("c", "conv", (("source", s), ("target", 3.0), ("width", 8.0))) for s in (0.0, 1.0))
    assert general([here, there])[0, 1] == 3.0


def test_families_go_by_the_words_in_the_name() -> None:
    kinds = {
        "nor_conv_3x3": "convolution", "sep_conv_5x5": "convolution", "conv1x1-bn-relu": "convolution",
        "avg_pool_3x3": "pooling", "maxpool3x3": "pooling", "skip_connect": "identity", "none": "nothing",
        "zeroize": "nothing", "width": "width",
    }  # fmt: skip
    assert {kind: family(kind) for kind in kinds} == kinds


@pytest.mark.parametrize("name", ["nats-tss", "nats-sss", "darts", "nasbench101"])
def test_the_general_rule_ranks_every_token_of_the_spaces_most_like_itself(name: str) -> None:
    rng = np.random.default_rng(0)
    vocabulary = sorted(
        {
            Token(one.symbol, one.kind, tuple(p for p in one.parameters if p[0] == "channels"))
            for _ in range(200)
            for one in space(name).tokens(space(name).sample(rng))
        },
        key=str,
    )
    table = general(vocabulary)
    for i, j in itertools.combinations(range(len(vocabulary)), 2):
        assert table[i, j] == table[j, i] < (table[i, i] + table[j, j]) / 2
