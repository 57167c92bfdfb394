"""Tables of ground truth."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from untrained.errors import InputError, UnknownNameError
from untrained.evaluate.lookup import Lookup
from untrained.spaces.nats_tss import nats_tss
from untrained.tables.table import Table

TEXTS = [nats_tss.format(nats_tss.at(index)) for index in range(6)]


def written(folder: Path, suffix: str, column: str = "architecture", texts: list[str] = TEXTS) -> Path:
    frame = pd.DataFrame({column: texts, "accuracy": range(len(texts)), "note": "x", "cost": 2.5})
    path = folder / f"table.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("column", ["architecture", "arch_str"])
def test_files_give_numbers_by_architecture(tmp_path: Path, suffix: str, column: str) -> None:
    table = Table.read(written(tmp_path, suffix, column), nats_tss)
    assert table.targets == ["accuracy", "cost"]
    assert list(table) == [nats_tss.at(index) for index in range(6)]
    assert table.column("accuracy").tolist() == [0, 1, 2, 3, 4, 5]
    assert [table.row(nats_tss.at(index)) for index in (3, 5)] == [3, 5]


def test_the_space_may_stand_in_front(tmp_path: Path) -> None:
    table = Table.read(written(tmp_path, "csv", texts=[f"nats-tss:{text}" for text in TEXTS]), nats_tss)
    assert table.row(nats_tss.at(2)) == 2


def test_an_identical_network_stands_in(tmp_path: Path) -> None:
    dead = nats_tss.parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    twin = nats_tss.parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    table = Table.read(written(tmp_path, "csv", texts=[nats_tss.format(dead)]), nats_tss)
    assert table.row(twin) == 0
    assert table.row(nats_tss.at(0)) is None


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no table"):
        Table.read(tmp_path / "absent.csv", nats_tss)
    with pytest.raises(InputError, match="no architecture column"):
        Table.read(written(tmp_path, "csv", "cell"), nats_tss)
    with pytest.raises(InputError, match="row 1 "):
        Table.read(written(tmp_path, "csv", texts=[TEXTS[0], "|no~0|"]), nats_tss)
    (tmp_path / "odd.parquet").write_text("no parquet")
    with pytest.raises(InputError, match="no parquet or csv"):
        Table.read(tmp_path / "odd.parquet", nats_tss)
    with pytest.raises(UnknownNameError, match="accuracy"):
        Table.read(written(tmp_path, "csv"), nats_tss).column("acuracy")


def test_empty_architectures_and_odd_numbers_are_named(tmp_path: Path) -> None:
    for texts in ([TEXTS[0], None], [TEXTS[0], ""]):
        for suffix in ("csv", "parquet"):
            with pytest.raises(InputError, match=r"row 1 of .* has no architecture"):
                Table.read(written(tmp_path, suffix, texts=texts), nats_tss)
    path = tmp_path / "odd.csv"
    path.write_text(f"arch,acc,cost\n{TEXTS[0]},1,2\n{TEXTS[1]},,2\n{TEXTS[2]},abc,2\n")
    table = Table.read(path, nats_tss)
    assert table.targets == ["acc", "cost"]
    assert table.column("cost").tolist() == [2, 2, 2]
    with pytest.raises(InputError, match="row 2 of the column 'acc' is no number: 'abc'"):
        table.column("acc")
    path.write_text("arch,acc\na,1\na,1,2\n")
    with pytest.raises(InputError, match=r"in line 3, saw 3$"):
        Table.read(path, nats_tss)


def test_a_missing_number_is_a_missing_architecture(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    path.write_text(f"arch,acc,cost\n{TEXTS[0]},1,2\n{TEXTS[1]},,2\n{TEXTS[2]},1,\n")
    lookup = Lookup(Table.read(path, nats_tss), ("acc",), cost="cost")
    assert [lookup(nats_tss.at(i), seed=0).rejected for i in range(3)] == [None, *["not in the table"] * 2]


def test_negative_costs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "negative.csv"
    path.write_text(f"arch,acc,cost\n{TEXTS[0]},1,2\n{TEXTS[1]},1,-2\n")
    with pytest.raises(InputError, match="row 1 of the column 'cost' is negative"):
        Lookup(Table.read(path, nats_tss), ("acc",), cost="cost")


def test_look_ups_give_value_and_cost(tmp_path: Path) -> None:
    table = Table.read(written(tmp_path, "csv"), nats_tss)
    lookup = Lookup(table, ("accuracy",), cost="cost", factor=12, prefix="table:")
    found = lookup(nats_tss.at(4), seed=0)
    assert (dict(found.values), found.seconds) == ({"table:accuracy": 4.0, "simulated_seconds": 30.0}, 0.0)
    other = nats_tss.parse(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    )
    missing = lookup(other, seed=0)
    assert (missing.values, missing.rejected) == ({}, "not in the table")
    assert Lookup(table, ("accuracy", "cost"), ("cost",)).directions == {"accuracy": 1, "cost": -1}
    with pytest.raises(InputError):
        Lookup(table, ())


def test_the_digest_is_that_of_the_numbers(tmp_path: Path) -> None:
    one, two = (Table.read(written(tmp_path, suffix), nats_tss) for suffix in ("csv", "parquet"))
    assert one.digest == two.digest
    changed = one.values.astype(float)
    changed.iloc[0, 0] += 1e-9
    renamed = one.values.rename(columns={"accuracy": "acc"})
    others = [Table(nats_tss, one.architectures, changed), Table(nats_tss, one.architectures, renamed)]
    assert len({table.digest for table in (one, *others, Table(nats_tss, one.architectures[::-1], one.values))}) == 4
