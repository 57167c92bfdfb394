"""What a store of studies must do, as tests: run them on your own with pytest.

# test_my_journal.py
from untrained.testing.journal import JournalContract

class TestMine(JournalContract):
    @pytest.fixture
    def opened(self):
        return MyJournal
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from untrained.algorithms.trial import Trial
from untrained.architecture import Architecture
from untrained.errors import StoreError, UnknownNameError
from untrained.study.journal import VERSION, Journal, StudyRecord

Open = Callable[..., Journal]

CELL = "nats-tss:|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|"
CHAIN = "chain:C64k3s2-B-L-M2-g-F32"
FLOATS = (0.1, -0.0, 1 / 3, 1e300, 1.7976931348623157e308, 5e-324, -2.2250738585072014e-308, 94.373, 1e16 + 2.0)
SETUP = {
    "seed": 2**62,
    "metrics": ["swap", "ni"],
    "limits": [],
    "options": {"rate": 0.08},
    "π": None,
    "deep": {"a": [1]},
}


def sample_trials() -> list[Trial]:
    """Trials whose fields hold everything that a field can hold."""
    cell, chain = Architecture.parse(CELL), Architecture.parse(CHAIN)
    return [
        Trial(0, cell),
        Trial(
            1, chain, (0,), "mutation", "complete", {"a": 1.5, "b": None}, {"b": "es gibt keinen Wert: η ≤ 0 🙂\n'\"%s"}
        ),
        Trial(2, cell, (1, 0), "crossover+mutation", "rejected", {}, {"limits": "params 2,000 breaks params<1,000"}),
        Trial(3, cell, (), "sample", "failed", {}, {"error": "MemoryError: no message"}, 0.25, {}),
        Trial(4, cell, (1, 3), "crossover", "complete", {"a": 2.0}, {}, 1e-9, {"a": 1e-9, "β": 0.5}, copied=0),
        Trial(7, chain, values={str(k): value for k, value in enumerate(FLOATS)}, seconds=12345.678901234567),
        Trial(2**40, cell, parents=(2**40 - 1,)),
    ]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another connection in the middle of writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


class JournalContract:
    """The contract of :class:`untrained.study.journal.Journal`; subclasses may provide the fixture `opened`, which takes
    the same arguments."""

    @pytest.fixture
    def opened(self) -> Open:
        return Journal

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "Läufe 1%.db"

    @pytest.fixture(params=["file", "memory"])
    def journal(self, request: pytest.FixtureRequest, opened: Open, path: Path) -> Iterator[Journal]:
        with closing(opened(path if request.param == "file" else None)) as journal:
            yield journal

    @pytest.fixture
    def study(self, journal: Journal) -> StudyRecord:
        return journal.create("first", SETUP)

    # -- what goes in comes out --------------------------------------------------------------------------------------

    def test_every_field_of_a_trial_comes_back(self, journal: Journal, study: StudyRecord) -> None:
        trials = sample_trials()
        for trial in trials:
            journal.record(study, trial)
        assert journal.trials(study) == trials

    def test_floats_come_back_to_the_last_bit(self, journal: Journal, study: StudyRecord) -> None:
        for number, value in enumerate(FLOATS):
            journal.record(study, Trial(number, Architecture.parse(CELL), values={"a": value}, seconds=abs(value)))
        for value, trial in zip(FLOATS, journal.trials(study), strict=True):
            found = trial.values["a"]
            assert found is not None
            assert (repr(found), repr(trial.seconds)) == (repr(value), repr(abs(value)))

    def test_values_that_are_not_finite_come_back(self, journal: Journal, study: StudyRecord) -> None:
        values = {"a": math.inf, "b": -math.inf, "c": math.nan}
        journal.record(study, Trial(0, Architecture.parse(CELL), values=values))
        assert repr(journal.trials(study)[0].values) == repr(values)

    def test_a_study_comes_back(self, journal: Journal, study: StudyRecord) -> None:
        assert study.setup == SETUP
        assert journal.study("first") == journal.find("first") == study
        assert journal.studies() == [study]
        assert study.created

    def test_names_are_any_text(self, journal: Journal) -> None:
        names = ["", " ", "naïve ∆ 🙂", "a'b\"c;--", "x" * 5_000, "line\nbreak"]
        for name in names:
            journal.create(name, {})
        assert [study.name for study in journal.studies()] == names
        assert all(journal.study(name).name == name for name in names)

    def test_trials_are_in_the_order_of_their_numbers(self, journal: Journal, study: StudyRecord) -> None:
        for number in (5, 0, 11, 3, 2):
            journal.record(study, Trial(number, Architecture.parse(CELL)))
        assert [trial.number for trial in journal.trials(study)] == [0, 2, 3, 5, 11]

    def test_studies_do_not_mix(self, journal: Journal, study: StudyRecord) -> None:
        other = journal.create("other", {})
        journal.record(study, Trial(0, Architecture.parse(CELL)))
        journal.record(other, Trial(0, Architecture.parse(CHAIN)))
        journal.record(other, Trial(1, Architecture.parse(CHAIN)))
        assert (len(journal.trials(study)), len(journal.trials(other))) == (1, 2)

    def test_states_are_counted(self, journal: Journal, study: StudyRecord) -> None:
        assert journal.count(study) == {}
        for trial in sample_trials():
            journal.record(study, trial)
        assert journal.count(study) == {"complete": 5, "rejected": 1, "failed": 1}

    def test_the_time_searched_is_what_was_noted_last(self, journal: Journal, study: StudyRecord) -> None:
        other = journal.create("other", {})
        assert journal.searched(study) == 0.0
        for number, seconds in enumerate((1.5, None, 4.25)):
            journal.record(study, Trial(number, Architecture.parse(CELL)), seconds)
        journal.record(other, Trial(0, Architecture.parse(CELL)))
        assert (journal.searched(study), journal.searched(other)) == (4.25, 0.0)
        journal.set_searched(study, 5.0)
        assert (journal.searched(study), journal.searched(other)) == (5.0, 0.0)

    def test_memory_is_not_shared(self, opened: Open) -> None:
        with closing(opened()) as one, closing(opened()) as two:
            one.create("mine", {})
            assert two.studies() == []

    # -- what is refused ---------------------------------------------------------------------------------------------

    def test_a_number_is_recorded_once(self, journal: Journal, study: StudyRecord) -> None:
        journal.record(study, Trial(4, Architecture.parse(CELL)))
        with pytest.raises(StoreError, match="another process"):
            journal.record(study, Trial(4, Architecture.parse(CHAIN)))
        journal.record(study, Trial(5, Architecture.parse(CELL)))
        assert [str(trial.architecture) for trial in journal.trials(study)] == [CELL, CELL]

    def test_a_name_is_taken_once(self, journal: Journal, study: StudyRecord) -> None:
        with pytest.raises(StoreError, match="already"):
            journal.create(study.name, {"other": 1})
        assert journal.studies() == [study]

    def test_unknown_studies_are_named(self, journal: Journal, study: StudyRecord) -> None:
        assert journal.find("fist") is None
        with pytest.raises(UnknownNameError, match="first"):
            journal.study("fist")

    def test_an_unrecorded_study_takes_no_trials(self, journal: Journal) -> None:
        with pytest.raises(StoreError):
            journal.record(StudyRecord(99, "nobody", "", {}), Trial(0, Architecture.parse(CELL)))

    # -- files -------------------------------------------------------------------------------------------------------

    def test_everything_is_there_when_opened_again(self, opened: Open, path: Path) -> None:
        trials = sample_trials()
        with closing(opened(path)) as journal:
            study = journal.create("first", SETUP)
            for trial in trials:
                journal.record(study, trial, 2.5)
        for _ in range(2):
            with closing(opened(path)) as journal:
                assert journal.study("first") == study
                assert journal.searched(study) == 2.5
                assert journal.trials(study) == trials

    def test_a_trial_is_there_for_others_at_once(self, opened: Open, path: Path) -> None:
        with closing(opened(path)) as writer, closing(opened(str(path))) as reader:
            study = writer.create("first", SETUP)
            for number in range(3):
                writer.record(study, Trial(number, Architecture.parse(CELL)))
                assert len(reader.trials(study)) == number + 1

    def test_a_store_that_has_to_exist(self, opened: Open, path: Path) -> None:
        with pytest.raises(StoreError, match="no store"):
            opened(path, must_exist=True)
        assert not path.exists()
        opened(path).close()
        opened(path, must_exist=True).close()

    def test_the_folder_has_to_exist(self, opened: Open, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="folder"):
            opened(tmp_path / "nowhere" / "runs.db")
        with pytest.raises(StoreError):
            opened(tmp_path)

    def test_a_newer_layout_is_refused(self, opened: Open, path: Path) -> None:
        opened(path).close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        with pytest.raises(StoreError, match=f"layout {VERSION + 1}.*upgrade"):
            opened(path)

    def test_what_is_no_database_is_refused_and_left_alone(self, opened: Open, path: Path) -> None:
        path.write_text("number,architecture\n" * 500)
        before = path.read_bytes()
        with pytest.raises(StoreError, match="not a database"):
            opened(path)
        assert path.read_bytes() == before

    def test_the_database_of_something_else_is_refused_and_left_alone(self, opened: Open, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE songs (title)")
            connection.execute("PRAGMA user_version = 7")
            connection.commit()
        before = path.read_bytes()
        with pytest.raises(StoreError, match="something else"):
            opened(path)
        assert path.read_bytes() == before
        assert [file.name for file in path.parent.iterdir()] == [path.name]

    def test_a_broken_file_is_reported(self, opened: Open, path: Path) -> None:
        with closing(opened(path)) as journal:
            study = journal.create("first", {})
            for number in range(200):
                journal.record(study, Trial(number, Architecture.parse(CELL)))
        content = bytearray(path.read_bytes())
        content[4096:-64] = b"\xff" * (len(content) - 4096 - 64)
        path.write_bytes(content)
        with pytest.raises(StoreError), closing(opened(path)) as journal:
            journal.trials(journal.study("first"))

    # -- others ------------------------------------------------------------------------------------------------------

    def test_a_lock_is_waited_for_so_long_and_no_longer(self, opened: Open, path: Path) -> None:
        with closing(opened(path, timeout=0.3)) as journal:
            study = journal.create("first", {})
            with locked(path):
                start = time.monotonic()
                with pytest.raises(StoreError, match="locked"):
                    journal.record(study, Trial(0, Architecture.parse(CELL)))
                assert 0.2 < time.monotonic() - start < 5
                assert journal.trials(study) == []
            journal.record(study, Trial(0, Architecture.parse(CELL)))
            assert len(journal.trials(study)) == 1

    def test_a_lock_that_opens_in_time_harms_nobody(self, opened: Open, path: Path) -> None:
        with closing(opened(path, timeout=20)) as journal:
            study = journal.create("first", {})
            with locked(path):
                writer = threading.Thread(target=journal.record, args=(study, Trial(0, Architecture.parse(CELL))))
                writer.start()
                time.sleep(0.2)
                assert writer.is_alive()
            writer.join(20)
            assert len(journal.trials(study)) == 1

    def test_readers_see_a_growing_study_while_it_is_written(self, opened: Open, path: Path) -> None:
        count, seen = 150, list[int]()
        with closing(opened(path)) as writer, closing(opened(path)) as reader:
            study = writer.create("first", {})

            def write() -> None:
                for number in range(count):
                    writer.record(study, Trial(number, Architecture.parse(CELL)))

            thread = threading.Thread(target=write)
            thread.start()
            while not seen or seen[-1] < count:
                trials = reader.trials(study)
                assert [trial.number for trial in trials] == list(range(len(trials)))
                seen.append(len(trials))
            thread.join()
        assert seen == sorted(seen)

    def test_several_may_start_on_a_new_file_at_once(self, opened: Open, path: Path) -> None:
        names = ["one", "two", "three"]
        errors: list[Exception] = []
        ready = threading.Barrier(len(names))

        def start(name: str) -> None:
            ready.wait()
            try:
                with closing(opened(path)) as journal:
                    journal.create(name, {})
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=start, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        with closing(opened(path)) as journal:
            assert sorted(study.name for study in journal.studies()) == sorted(names)
