"""The result of training, and the file it is kept in."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from untrained.errors import InputError
from untrained.spaces.space import Skeleton, create_model
from untrained.training.recipe import Recipe

_KEY = "untrained"


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the train images: `number` from 1, the mean loss and accuracy of the augmented batches while the
    weights changed, the accuracy on the held-out images afterwards (None without any), the seconds of both."""

    number: int
    loss: float
    train_accuracy: float
    test_accuracy: float | None
    seconds: float


@dataclass(frozen=True, eq=False, repr=False)
class Trained:
    """A trained network in evaluation mode, what it was trained on and how it went.

    `test_accuracy` (0..1) is that of the final weights on the held-out images, never the best of the history, and None
    without held-out images. `architecture` (text) and `skeleton` are None for a network of the caller's own. Images are
    normalised by `mean` and `std` before they enter. `reason` says why training stopped early, or is None.
    """

    network: nn.Module
    history: tuple[Epoch, ...]
    test_accuracy: float | None
    seconds: float
    parameters: int
    recipe: Recipe
    seed: int
    architecture: str | None
    skeleton: Skeleton | None
    data: str
    classes: tuple[str, ...]
    channels: int
    image_size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    reason: str | None = None

    @property
    def epochs(self) -> int:
        """Epochs that were trained, the unfinished one of an early stop included."""
        return len(self.history)

    def metadata(self) -> dict[str, Any]:
        """Everything but the weights and the history, as JSON knows it."""
        return {
            "architecture": self.architecture,
            "skeleton": None if self.skeleton is None else asdict(self.skeleton),
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "test_accuracy": self.test_accuracy,
            "epochs": self.epochs,
            "seconds": self.seconds,
            "parameters": self.parameters,
            "reason": self.reason,
            "data": self.data,
            "classes": list(self.classes),
            "channels": self.channels,
            "image_size": list(self.image_size),
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def save(self, path: str | Path) -> Path:
        """Write the weights as safetensors with the metadata in the header; :func:`load_trained` reads it."""
        path = Path(path)
        if not path.parent.is_dir():
            raise InputError(f"the folder {path.parent} does not exist; create it before saving {path.name}")
        weights = {name: value.detach().cpu().contiguous().clone() for name, value in self.network.state_dict().items()}
        try:
            safetensors.torch.save_file(weights, path, metadata={_KEY: json.dumps(self.metadata())})
        except (OSError, safetensors.SafetensorError) as error:
            raise InputError(f"the weights cannot be written to {str(path)!r}: {error}") from None
        return path

    def __repr__(self) -> str:
        shown = "no test images" if self.test_accuracy is None else f"test accuracy {self.test_accuracy:.4f}"
        return f"<trained on {self.data}: {shown}, {self.epochs} epochs, {self.seconds:.1f} s>"


def load_trained(path: str | Path, *, network: nn.Module | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """The network saved by :meth:`Trained.save`, in evaluation mode, and its metadata.

    A network that came from no architecture cannot be rebuilt: give one of the same kind as `network` and it is filled.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; expected weights written by Trained.save")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(_KEY, "null"))
        weights = safetensors.torch.load_file(path)
    except (ValueError, RecursionError):
        raise InputError(f"{path} was not written by Trained.save: its header is no JSON") from None
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"{path} is no complete safetensors file ({error}); save it again") from None
    if not isinstance(metadata, dict):
        raise InputError(f"{path} was not written by Trained.save: its header names no architecture")
    if network is None:
        network = _rebuilt(path, metadata)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"the weights of {path} do not fit the network: {str(error).splitlines()[-1].strip()}"
        ) from None
    return network.eval(), metadata


def _rebuilt(path: Path, metadata: dict[str, Any]) -> nn.Module:
    if metadata.get("architecture") is None:
        raise InputError(f"{path} holds the weights of a network without an architecture; give it as network=...")
    # The weights drawn here are replaced: they must not move the caller's random numbers.
    with torch.random.fork_rng(devices=[]):
        try:
            return create_model(
                metadata["architecture"],
                num_classes=len(metadata["classes"]),
                in_chans=metadata["channels"],
                skeleton=Skeleton(**metadata["skeleton"]),
            )
        except (KeyError, TypeError, AttributeError, RuntimeError, MemoryError) as error:
            why = str(error).partition("\n")[0]
            raise InputError(f"{path} names no network that can be built: {type(error).__name__} {why}") from None
