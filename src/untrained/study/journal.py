"""The journal: studies and their trials in one SQLite file, each trial committed as it ends."""

from __future__ import annotations

import json
import os
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import StaticPool

from untrained.algorithms.trial import Trial
from untrained.architecture import Architecture
from untrained.errors import StoreError, UnknownNameError

VERSION = 1
"""Layout of the file; raised when an older version of this package could not read it."""

_METADATA = sa.MetaData()
_STUDIES = sa.Table(
    "studies",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("setup", sa.JSON, nullable=False),
)
_TRIALS = sa.Table(
    "trials",
    _METADATA,
    sa.Column("study_id", sa.ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("architecture", sa.Text, nullable=False),
    sa.Column("parents", sa.JSON, nullable=False),
    sa.Column("operator", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("objectives", sa.JSON, nullable=False),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("costs", sa.JSON, nullable=False),
    sa.Column("copied", sa.Integer),
    sa.Column("finished", sa.Text, nullable=False),
)
_CLOCKS = sa.Table(
    "clocks",
    _METADATA,
    sa.Column("study_id", sa.ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("seconds", sa.Float, nullable=False),
)
"""How long searches have run. Stores made before there were clocks get theirs with the next trial."""


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study as stored: its name, when it was created, and the setup that makes it repeatable."""

    id: int
    name: str
    created: str
    setup: Mapping[str, Any]


class Journal:
    """A store of studies. `path` is an SQLite file, made when it does not exist; None keeps everything in memory.

    Raises `StoreError` when the file is no such store, was written by a newer version, is locked by another process for
    more than `timeout` seconds or cannot be reached.
    """

    def __init__(self, path: str | Path | None = None, *, must_exist: bool = False, timeout: float = 10.0) -> None:
        self.path = None if path is None else Path(path)
        if self.path is not None:
            if must_exist and not os.path.isfile(self.path):
                raise StoreError(f"there is no store {str(self.path)!r}; a search makes one, or give another --store")
            if not os.path.isdir(self.path.parent):
                raise StoreError(f"the folder {str(self.path.parent)!r} does not exist; make it, or store elsewhere")
        self._engine = _engine(self.path, timeout)
        # Without this an unclosed journal is a warning in Python 3.13.
        weakref.finalize(self, self._engine.dispose)
        with self._talking() as connection:
            self._prepare(connection, timeout)
        self._file = self._inode()

    def _inode(self) -> int | None:
        """The number of the file that is at `path` now; None where there is none."""
        try:
            return None if self.path is None else os.stat(self.path).st_ino
        except OSError:
            return None

    def _prepare(self, connection: sa.Connection, timeout: float) -> None:
        version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
        tables = set(sa.inspect(connection).get_table_names())
        if tables and not {"studies", "trials"} <= tables:
            raise StoreError(f"{str(self.path)!r} is a database of something else; give another --store")
        if version > VERSION:
            raise StoreError(
                f"the store {str(self.path)!r} has layout {version} and this version reads up to {VERSION}; upgrade untrained"
            )
        self._clocked = _CLOCKS.name in tables
        _write_ahead(connection, timeout)
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        if version < VERSION:
            # Of several processes that start on a new file, one makes the tables and the others wait for it.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            _METADATA.create_all(connection)
            self._clocked = True
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _talking(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.IntegrityError:
            raise StoreError(
                "the store has this study or trial already: another process is running the same study; run the command again "
                "when that has ended, to go on"
            ) from None
        except json.JSONDecodeError:
            raise self._damaged("a field that should be JSON") from None
        except UnicodeEncodeError as error:
            raise StoreError(f"{error.object!r} is no text that can be stored; use Unicode characters") from None
        except sa.exc.DatabaseError as error:
            raise StoreError(f"the store {str(self.path)!r} cannot be used: {_plain(error)}") from None

    # -- studies ---------------------------------------------------------------------------------------------------

    def create(self, name: str, setup: Mapping[str, Any]) -> StudyRecord:
        """Add a study; its name must be new."""
        created = _now()
        with self._talking() as connection:
            key = connection.execute(sa.insert(_STUDIES).values(name=name, created=created, setup=dict(setup)))
            assert key.inserted_primary_key is not None
            return StudyRecord(int(key.inserted_primary_key[0]), name, created, dict(setup))

    def studies(self) -> list[StudyRecord]:
        """All studies, oldest first."""
        with self._talking() as connection:
            rows = connection.execute(sa.select(_STUDIES).order_by(_STUDIES.c.id))
            return [self._record(row) for row in rows]

    def find(self, name: str) -> StudyRecord | None:
        """The study called `name`, or None."""
        return next((study for study in self.studies() if study.name == name), None)

    def study(self, name: str) -> StudyRecord:
        """The study called `name`; raises `UnknownNameError`."""
        found = self.find(name)
        if found is None:
            raise UnknownNameError("study", name, [study.name for study in self.studies()] or ["none yet"])
        return found

    # -- trials ----------------------------------------------------------------------------------------------------

    def record(self, study: StudyRecord, trial: Trial, searched: float | None = None) -> None:
        """Commit one finished trial, and for how many seconds searches of the study have run by now."""
        if self._inode() != self._file:
            # SQLite would go on writing into a file that nobody can find any more.
            raise StoreError(f"the store {str(self.path)!r} was removed or replaced while in use; search again")
        with self._talking() as connection:
            connection.execute(
                _INSERT_TRIAL,
                {
                    "study_id": study.id,
                    "number": trial.number,
                    "architecture": str(trial.architecture),
                    "parents": list(trial.parents),
                    "operator": trial.operator,
                    "state": trial.state,
                    "objectives": dict(trial.values),
                    "reasons": dict(trial.reasons),
                    "seconds": trial.seconds,
                    "costs": dict(trial.costs),
                    "copied": trial.copied,
                    "finished": _now(),
                },
            )
            if searched is not None:
                self._set_clock(connection, study, searched)

    def set_searched(self, study: StudyRecord, seconds: float) -> None:
        """Note for how many seconds searches of a study have run."""
        with self._talking() as connection:
            self._set_clock(connection, study, seconds)

    def _set_clock(self, connection: sa.Connection, study: StudyRecord, seconds: float) -> None:
        if not self._clocked:
            _CLOCKS.create(connection, checkfirst=True)
            self._clocked = True
        connection.execute(_SET_CLOCK, {"study_id": study.id, "seconds": seconds})

    def searched(self, study: StudyRecord) -> float:
        """For how many seconds searches of a study have run, as far as it was noted."""
        with self._talking() as connection:
            if not self._clocked and _CLOCKS.name not in sa.inspect(connection).get_table_names():
                return 0.0
            found = connection.execute(sa.select(_CLOCKS.c.seconds).where(_CLOCKS.c.study_id == study.id)).scalar()
        if not (found is None or _is_number(found)):
            raise self._damaged(f"the clock of the study {study.name!r}")
        return float(found or 0.0)

    def trials(self, study: StudyRecord) -> list[Trial]:
        """The trials of a study by number; a number that is missing was in flight when a search ended."""
        query = sa.select(_TRIALS).where(_TRIALS.c.study_id == study.id).order_by(_TRIALS.c.number)
        with self._talking() as connection:
            return [self._trial(row) for row in connection.execute(query)]

    def count(self, study: StudyRecord) -> dict[str, int]:
        """How many trials of a study are in each state."""
        query = (
            sa.select(_TRIALS.c.state, sa.func.count()).where(_TRIALS.c.study_id == study.id).group_by(_TRIALS.c.state)
        )
        with self._talking() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query)}

    # -- rows ------------------------------------------------------------------------------------------------------

    # Anybody may have written the file: nothing in it is believed to be of its kind.

    def _record(self, row: sa.Row[Any]) -> StudyRecord:
        if not (_texts(row.name, row.created) and isinstance(row.setup, dict)):
            raise self._damaged(f"study {row.name!r}")
        return StudyRecord(row.id, row.name, row.created, row.setup)

    def _trial(self, row: sa.Row[Any]) -> Trial:
        whole = (
            _texts(row.architecture, row.operator)
            and row.state in ("complete", "partial", "rejected", "failed")
            and isinstance(row.parents, list)
            and all(type(parent) is int for parent in row.parents)
            and isinstance(row.objectives, dict)
            and all(value is None or _is_number(value) for value in row.objectives.values())
            and isinstance(row.reasons, dict)
            and _texts(*row.reasons.values())
            and isinstance(row.costs, dict)
            and all(map(_is_number, (row.seconds, *row.costs.values())))
            and (row.copied is None or type(row.copied) is int)
        )
        if not whole:
            raise self._damaged(f"trial {row.number}")
        return Trial(
            number=row.number,
            architecture=Architecture.parse(row.architecture, strict=False),
            parents=tuple(row.parents),
            operator=row.operator,
            state=row.state,
            values=row.objectives,
            reasons=row.reasons,
            seconds=row.seconds,
            costs=row.costs,
            copied=row.copied,
        )

    def _damaged(self, what: str) -> StoreError:
        return StoreError(f"the store {str(self.path)!r} is damaged: {what} cannot be read; give another --store")

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


_INSERT_TRIAL = sa.insert(_TRIALS)
_SET_CLOCK = sqlite.insert(_CLOCKS)
_SET_CLOCK = _SET_CLOCK.on_conflict_do_update(
    index_elements=[_CLOCKS.c.study_id], set_={"seconds": _SET_CLOCK.excluded.seconds}
)


def _texts(*values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _engine(path: Path | None, timeout: float) -> sa.Engine:
    options: dict[str, Any] = {"json_serializer": lambda value: json.dumps(value, separators=(",", ":"))}
    if path is None:
        return sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}, **options)
    # One connection stays open for the life of the journal; a second process waits for the lock before it gives up.
    return sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=StaticPool,
        connect_args={"timeout": timeout, "check_same_thread": False},
        **options,
    )


def _write_ahead(connection: sa.Connection, timeout: float) -> None:
    """With a write-ahead log, NORMAL loses nothing when the process is killed, and is much faster than FULL."""
    connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            return
        except sa.exc.OperationalError:
            # SQLite does not wait for other processes here, as it does everywhere else.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _plain(error: sa.exc.DatabaseError) -> str:
    text = str(error.orig)
    if "locked" in text or "busy" in text:
        return "another process holds it locked; wait for it or stop it"
    if "not a database" in text or "malformed" in text:
        return f"{text}; give another --store"
    return text


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
