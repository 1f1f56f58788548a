"""For all tests of training."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync matters when the power fails, which no test can try; hundreds of checkpoints would wait for it."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
