"""How large the networks of a study are, as they would be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError
from untrained.study.study import Study

if TYPE_CHECKING:
    from untrained.probe.probe import Size


def target_size(study: Study, architecture: Architecture) -> Size:
    """Parameters and MACs of the target network of `architecture`, without building its weights."""
    from untrained.evaluate.sizes import size_of

    channels, height, width = study.setup["image_shape"]
    target = study.space.skeleton(study.setup["target"])
    return size_of(study.space, architecture, target, (channels, height, width), study.setup["num_classes"] or 10)


def known_size(study: Study, architecture: Architecture) -> Size | None:
    """The same, or None for an architecture that breaks the rules of its space: some published ones do."""
    try:
        study.space.validate(architecture)
    except ArchitectureError:
        return None
    return target_size(study, architecture)
