from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from safetensors.torch import save_file
from torch import nn

from untrained.errors import InputError
from untrained.images.image_set import ImageSet
from untrained.images.load import load_images
from untrained.training.inference import predict
from untrained.training.loop import train
from untrained.training.trained import load_trained

CELL = "nats-tss:|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


def images() -> ImageSet:
    x = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    return load_images({"x": x, "y": np.arange(40) % 3, "classes": ["cat", "chien", "犬"]})


def test_a_saved_network_comes_back_bit_for_bit(tmp_path: Path) -> None:
    trained = train(CELL, images(), epochs=2, seed=1, skeleton="channels=4,cells=2")
    path = trained.save(tmp_path / "net.safetensors")
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    network, metadata = load_trained(path)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not network.training
    saved = trained.network.state_dict()
    assert network.state_dict().keys() == saved.keys()
    for name, value in network.state_dict().items():
        assert value.dtype == saved[name].dtype
        assert torch.equal(value, saved[name])
    x, _ = images().batch(8, 0)
    assert torch.equal(predict(network, x), predict(trained.network, x))
    assert metadata == trained.metadata() == json.loads(json.dumps(trained.metadata()))


def test_the_header_says_everything_deployment_needs(tmp_path: Path) -> None:
    data = images()
    trained = train(CELL, data, epochs=1, skeleton="channels=4,cells=1")
    trained.save(tmp_path / "net.safetensors")
    with safetensors.safe_open(tmp_path / "net.safetensors", framework="np") as file:
        header = json.loads(file.metadata()["untrained"])
    assert header["architecture"] == CELL
    assert header["skeleton"]["channels"] == 4
    assert header["classes"] == ["cat", "chien", "犬"]
    assert (tuple(header["mean"]), tuple(header["std"])) == (data.mean, data.std)
    assert (header["channels"], header["image_size"]) == (3, [8, 8])
    assert header["recipe"] == asdict(trained.recipe)
    assert header["test_accuracy"] == trained.test_accuracy
    assert header["epochs"] == 1


def test_a_module_of_the_callers_own_needs_one_to_fill(tmp_path: Path) -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))

    trained = train(network(), images(), epochs=1)
    path = trained.save(tmp_path / "own.safetensors")
    with pytest.raises(InputError, match="without an architecture; give it as network="):
        load_trained(path)
    filled, _ = load_trained(path, network=network())
    assert torch.equal(filled[1].weight, trained.network[1].weight)
    with pytest.raises(InputError, match="do not fit the network"):
        load_trained(path, network=nn.Linear(2, 2))


def test_tied_weights_can_be_saved(tmp_path: Path) -> None:
    head = nn.Linear(192, 192, bias=False)
    network = nn.Sequential(nn.Flatten(), head, head, nn.Linear(192, 3))
    path = train(network, images(), epochs=1).save(tmp_path / "tied.safetensors")
    filled, _ = load_trained(path, network=network)
    assert torch.equal(filled[1].weight, filled[2].weight)


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    with pytest.raises(InputError, match="there is no file"):
        load_trained(path)
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match="no complete safetensors file"):
        load_trained(path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match=r"was not written by Trained\.save"):
        load_trained(path)
    trained = train(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), images(), epochs=1)
    with pytest.raises(InputError, match="does not exist; create it"):
        trained.save(tmp_path / "missing" / "net.safetensors")
    trained.save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="no complete safetensors file"):
        load_trained(path)


@pytest.mark.parametrize(
    "header",
    [
        "junk",
        "[]",
        "{}",
        '{"architecture": 5, "classes": [], "channels": 1, "skeleton": {}}',
        f'{{"architecture": "{CELL}"}}',
        f'{{"architecture": "{CELL}", "classes": ["a", "b"], "channels": "x", "skeleton": {{}}}}',
        f'{{"architecture": "{CELL}", "classes": ["a", "b"], "channels": 3, "skeleton": {{"odd": 1}}}}',
        f'{{"architecture": "{CELL}", "classes": ["a", "b"], "channels": 3, "skeleton": [1]}}',
        "[" * 10**5,
    ],
)
def test_headers_written_by_others_are_refused(tmp_path: Path, header: str) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "net.safetensors", metadata={"untrained": header})
    with pytest.raises(InputError, match=r"written by|names no network|without an architecture"):
        load_trained(tmp_path / "net.safetensors")
