"""CRC-32 against zlib's, over lengths and places that fill no whole step."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from lenetcli.kernels import checksum, dispatch, native


@pytest.mark.parametrize("twin", ["numpy", *(["native"] if native.absent is None else [])])
def test_it_is_zlibs(twin: dispatch.Twin) -> None:
    with dispatch.force(twin):
        check()


def check() -> None:
    data = np.random.default_rng(0).integers(0, 256, 70_000, np.uint8)
    for size in (0, 1, 3, 15, 16, 63, 64, 65, 79, 80, 81, 127, 128, 129, 1000, 4096, 69_990):
        for at in (0, 1, 7):
            part, whole = data[at : at + size], zlib.crc32(data[at : at + size], 123_456_789)
            assert dispatch.crc32(part, 123_456_789) == whole
            assert dispatch.crc32(part[size // 3 :], dispatch.crc32(part[: size // 3], 123_456_789)) == whole
    constant = np.frombuffer(b"123456789", np.uint8)  # not writable; the check value that every description has
    assert dispatch.crc32(constant) == 0xCBF43926


def test_without_the_processors_help_it_is_zlibs(monkeypatch: pytest.MonkeyPatch) -> None:
    if native.absent is None:
        from lenetcli.kernels.native import checksum as twin

        monkeypatch.setattr(twin, "HERE", False)
        assert twin.crc32(np.zeros(100, np.uint8)) == checksum.crc32(np.zeros(100, np.uint8)) == zlib.crc32(bytes(100))
