"""Limits: what can be written, what it means, what it says when it is broken."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrained.errors import LimitError
from untrained.evaluate.limits import QUANTITIES, Limit, broken


@pytest.mark.parametrize(
    ("text", "quantity", "comparison", "bound"),
    [
        ("params<500k", "params", "<", 500e3),
        ("params<500K", "params", "<", 500e3),
        ("macs<=40M", "macs", "<=", 40e6),
        ("macs>1.5G", "macs", ">", 1.5e9),
        ("params>=2b", "params", ">=", 2e9),
        ("  params  <  500 k ", "params", "<", 500e3),
        ("PARAMS<1m", "params", "<", 1e6),
        ("params<1", "params", "<", 1),
        ("params<0.5M", "params", "<", 500e3),
        ("params<.5M", "params", "<", 500e3),
        ("params<1e6", "params", "<", 1e6),
        ("params<2.5e3k", "params", "<", 2.5e6),
        ("params<1,234,567", "params", "<", 1234567),
        ("params<1_234_567", "params", "<", 1234567),
        ("latency_ms<5", "latency_ms", "<", 5),
        ("Latency_ms( batch = 8 ) < 5", "latency_ms(batch=8)", "<", 5),
        ("table:cifar10__fpga_latency<=2.5", "table:cifar10__fpga_latency", "<=", 2.5),
        (" table:Time (ms) <3", "table:Time (ms)", "<", 3),
    ],
)
def test_what_can_be_written(text: str, quantity: str, comparison: str, bound: float) -> None:
    assert Limit.parse(text) == Limit(quantity, comparison, bound)


@pytest.mark.parametrize(
    "text",
    [
        "", "params", "params<", "<500k", "params=500k", "params==5", "params!=5", "params<-5", "params<nan", "params<inf",
        "params<5x", "params<5kb", "params<5 k b", "params<five", "params<1e", "params<<5", "params<5;", "params<1.2.3",
        "params<5<6", "params <\n", "5<params", "params<,", "params<_", "params<1e999",
    ],
)  # fmt: skip
def test_what_cannot(text: str) -> None:
    with pytest.raises(LimitError, match=r"expected something like 'params<500k'"):
        Limit.parse(text)


def test_quantities_that_are_not_known_are_named() -> None:
    with pytest.raises(LimitError, match=f"'flops'; known quantities: {', '.join(QUANTITIES)}"):
        Limit.parse("flops<5M")
    for text in ("accuracy>0.9", "nwot>3", "params(batch=3)<5"):
        with pytest.raises(LimitError, match="known quantities"):
            Limit.parse(text)


@pytest.mark.parametrize(
    ("comparison", "below", "at", "above"),
    [("<", True, False, False), ("<=", True, True, False), (">", False, False, True), (">=", False, True, True)],
)
def test_comparisons(comparison: str, below: bool, at: bool, above: bool) -> None:
    limit = Limit.parse(f"params{comparison}1k")
    assert (limit.allows(999), limit.allows(1000), limit.allows(1001)) == (below, at, above)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(QUANTITIES),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.integers(0, 10**13) | st.floats(0, 1e12, allow_nan=False).map(lambda x: round(x, 3)),
)
def test_the_text_of_a_limit_is_that_limit(quantity: str, comparison: str, bound: float) -> None:
    limit = Limit(quantity, comparison, float(bound))
    assert Limit.parse(str(limit)) == limit


def test_texts() -> None:
    assert [str(Limit.parse(text)) for text in ("params<500k", "macs>=1.5G", "params<0.5")] == [
        "params<500,000", "macs>=1,500,000,000", "params<0.5",
    ]  # fmt: skip


def test_the_first_broken_limit_speaks() -> None:
    limits = [Limit.parse(text) for text in ("params>10", "params<=1k", "macs<1M")]
    assert broken(limits, {"params": 1000, "macs": 999_999}) is None
    assert broken(limits, {"params": 1001, "macs": 2_000_000}) == "params 1,001 breaks params<=1,000"
    assert broken(limits, {"params": 500, "macs": 2_000_000}) == "macs 2,000,000 breaks macs<1,000,000"
    assert broken(limits, {"params": 10, "macs": 0}) == "params 10 breaks params>10"
    assert broken([], {}) is None


def test_values_that_are_no_whole_numbers_and_missing_ones() -> None:
    limits = [Limit.parse("latency_ms<5")]
    assert broken(limits, {"latency_ms": 5.0625}) == "latency_ms 5.062 breaks latency_ms<5"
    assert broken(limits, {"latency_ms": None}) == "latency_ms without a value breaks latency_ms<5"
    assert broken(limits, {"latency_ms": 4.99}) is None
