"""Studies and trials as plain values: what `--json` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from untrained.report.sizes import known_size

if TYPE_CHECKING:
    from untrained.algorithms.trial import Trial
    from untrained.study.study import Study


def study_record(study: Study) -> dict[str, Any]:
    """What a study is and how far it is."""
    return {
        "study": study.name,
        "store": None if study.journal.path is None else str(study.journal.path),
        "created": study.record.created,
        "evaluations": study.evaluations,
        "searched_seconds": study.searched_seconds,
        "simulated_seconds": study.simulated_seconds,
        "counts": dict(study.counts()),
        "setup": dict(study.setup),
    }


def trial_record(study: Study, trial: Trial) -> dict[str, Any]:
    """A trial with its values by metric, and the size of its target network."""
    size = known_size(study, trial.architecture)
    return {
        "number": trial.number,
        "architecture": str(trial.architecture),
        "operator": trial.operator,
        "parents": list(trial.parents),
        "values": dict(trial.values),
        "reasons": dict(trial.reasons),
        "params": None if size is None else size.parameters,
        "macs": None if size is None else size.macs,
    }
