"""PNG files that say what they should, chunk by chunk."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from lenetcli.display.png import data_uri, picture, png, signed


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 2, 3)])
def test_a_picture_comes_back(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data, at, chunks = png(pixels), 8, {}
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"])[:4] == (shape[1], shape[0], 8, 2 if len(shape) == 3 else 0)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(shape[0], -1)
    assert not lines[:, 0].any()
    assert np.array_equal(lines[:, 1:].reshape(shape), pixels)


def test_images_of_one_three_and_five_channels_become_pixels() -> None:
    assert picture(np.full((1, 2, 2), 1.0)).tolist() == [[255, 255], [255, 255]]
    assert picture(np.zeros((3, 2, 4))).shape == (2, 4, 3)
    assert picture(np.full((5, 2, 4), np.nan)).shape == (2, 4)


def test_signs_have_colours_and_zero_is_white() -> None:
    pixels = signed(np.array([[-2.0, 0.0, 2.0, np.nan]]), 2.0)[0].tolist()
    assert pixels == [[179, 88, 6], [255, 255, 255], [5, 84, 156], [255, 255, 255]]
    assert (signed(np.zeros((2, 2)), 0.0) == 255).all()


def test_an_address_holds_the_picture() -> None:
    assert data_uri(np.zeros((1, 1), np.uint8)).startswith("data:image/png;base64,iVBOR")
