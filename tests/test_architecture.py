"""Architectures and tokens are plain values."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError, InputError, UnknownNameError
from untrained.spaces.nats_tss import nats_tss

TEXT = "nats-tss:|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"


def test_text_and_value_are_inverse() -> None:
    architecture = Architecture.parse(TEXT)
    assert architecture == Architecture("nats-tss", (3, 3, 3, 1, 3, 3))
    assert str(architecture) == TEXT
    assert Architecture.parse(f"  {TEXT}\n") == architecture


@pytest.mark.parametrize("text", ["", "nats-tss", TEXT.removeprefix("nats-tss:")])
def test_a_text_names_its_space(text: str) -> None:
    with pytest.raises(ArchitectureError, match="space:architecture"):
        Architecture.parse(text)


def test_an_unknown_space_is_not_guessed() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'nats-tss'"):
        Architecture.parse(TEXT.replace("nats-tss", "nats-tsss"))


def test_architectures_are_values() -> None:
    a, b = nats_tss.at(5), nats_tss.at(6)
    assert a == Architecture(a.space, a.genes)
    assert len({a, b, nats_tss.at(5)}) == 2
    assert sorted([b, a]) == sorted([a, b])
    assert pickle.loads(pickle.dumps(a)) == a  # noqa: S301
    with pytest.raises(dataclasses.FrozenInstanceError):
        a.genes = b.genes  # type: ignore[misc]


def test_notebooks_show_the_picture() -> None:
    assert Architecture.parse(TEXT)._repr_svg_() == nats_tss.draw(Architecture.parse(TEXT)).svg()


def test_tokens_say_what_they_mean() -> None:
    token = Token("C", "conv", (("filters", 64.0), ("rate", 0.25)))
    assert str(token) == "conv(filters=64, rate=0.25)"
    assert str(Token("s", "skip")) == "skip"
    assert (token.get("filters"), token.get("rate"), token.get("kernel")) == (64, 0.25, None)


def test_what_was_written_is_read_whatever_rule_it_breaks() -> None:
    broken = "chain:C16k3s1-B"
    with pytest.raises(ArchitectureError, match="no pooling gene"):
        Architecture.parse(broken)
    assert str(Architecture.parse(broken, strict=False)) == broken
    assert Architecture.parse(TEXT, strict=False) == Architecture.parse(TEXT)
    with pytest.raises(ArchitectureError, match="unknown gene"):
        Architecture.parse("chain:C16k3s1-Z", strict=False)


@pytest.mark.parametrize("text", ["nats-tss:|" + "x" * 10**5 + "~0|", "chain:" + "9" * 10**5, "x" * 10**5 + ":|"])
def test_messages_about_long_texts_are_short(text):
    with pytest.raises(InputError) as caught:
        Architecture.parse(text)
    assert len(str(caught.value)) < 1000
