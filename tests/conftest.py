"""What all tests share."""

from __future__ import annotations

import os
import random
import zlib
from pathlib import Path

# One torch thread a test process, before anything imports torch: more get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

pytest.register_assert_rewrite("untrained.testing")

# The same tests draw the same numbers each time; another UNTRAINED_TEST_SEED draws others, to look for claims that
# hold by luck.
SEED = int(os.environ.get("UNTRAINED_TEST_SEED", "0"))
settings.register_profile("repeatable", derandomize=SEED == 0)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> None:
    """Networks of PyTorch modules start from weights that depend on the test alone, not on the order of the tests."""
    seed = zlib.crc32(request.node.nodeid.encode()) + SEED
    torch.manual_seed(seed)
    random.seed(seed)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real benchmark tables and images; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("UNTRAINED_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no development data at {folder}; set UNTRAINED_TEST_DATA")
    return folder
