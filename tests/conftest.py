"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

# One torch thread a test process, before anything imports torch: more get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytest.register_assert_rewrite("untrained.testing")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real benchmark tables and images; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("UNTRAINED_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no development data at {folder}; set UNTRAINED_TEST_DATA")
    return folder
