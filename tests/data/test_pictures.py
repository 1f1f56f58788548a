"""Pictures from files: every mode and size, hostile ones, and the way from a picture to a model's input."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.data import CSV, NPZ, Digits, Random
from lenetcli.data.inputs import NAME, Inputs, read_inputs, write_inputs
from lenetcli.data.pictures import MOST_PIXELS, decode, read, shrink
from lenetcli.data.transforms import Preprocessing
from lenetcli.errors import DataError


def encoded(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def npy(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


GRADIENT = np.linspace(0, 255, 60).astype(np.uint8).reshape(6, 10)


# Pictures


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_of_every_mode_has_the_channels_asked_for(mode: str, channels: int) -> None:
    image_module = pytest.importorskip("PIL.Image")
    image = image_module.fromarray(GRADIENT).convert(mode)
    found = decode(encoded(image), "x.png", channels)
    assert (found.shape, found.dtype) == ((channels, 6, 10), np.uint8)
    if mode not in ("1", "P"):
        assert np.array_equal(found[0], GRADIENT)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_of_every_mode_is_about_the_same_picture(mode: str) -> None:
    image_module = pytest.importorskip("PIL.Image")
    found = decode(encoded(image_module.fromarray(GRADIENT).convert(mode), "JPEG", quality=100), "x.jpg", 1)
    assert np.abs(found[0].astype(int) - GRADIENT).max() < 12


def test_16_bits_become_8_and_are_not_cut_off() -> None:
    image_module = pytest.importorskip("PIL.Image")
    deep = GRADIENT.astype(np.uint16) * 257
    assert np.array_equal(decode(encoded(image_module.fromarray(deep)), "x.png", 1)[0], GRADIENT)


def test_transparent_parts_show_white() -> None:
    image_module = pytest.importorskip("PIL.Image")
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0, 3] = 255  # one opaque black pixel; the others are black, and not there
    found = decode(encoded(image_module.fromarray(pixels)), "x.png", 1)
    assert found[0].tolist() == [[0, 255], [255, 255]]


def test_a_photo_that_the_camera_turned_is_turned_upright() -> None:
    image_module = pytest.importorskip("PIL.Image")
    image = image_module.fromarray(GRADIENT)
    exif = image_module.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    found = decode(encoded(image, exif=exif), "x.png", 1)
    assert np.array_equal(found[0], np.rot90(GRADIENT, -1))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x: empty"),
        (b"GIF89a" + bytes(100), "x: damaged or truncated picture"),
        (b"some text, no picture", r"x: neither a picture \(PNG, JPEG, BMP, WebP, TIFF, GIF or PPM\) nor .npy"),
        (bomb(30000, 30000), "damaged or truncated picture|more than the"),
        (bomb(5000, 5000), f"x: 5,000 x 5,000 pixels, more than the {MOST_PIXELS:,} allowed"),
        (bomb(100, 100), "x: damaged or truncated picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "x: damaged or truncated picture"),
        (b"\xff\xd8\xff" + bytes(200), "x: damaged or truncated picture"),
    ],
)
def test_hostile_pictures_are_refused_in_one_line(data: bytes, message: str) -> None:
    pytest.importorskip("PIL")
    with pytest.raises(DataError, match=message) as caught:
        decode(data, "x", 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_cut_anywhere_is_refused(kind: str) -> None:
    image_module = pytest.importorskip("PIL.Image")
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    data = encoded(image_module.fromarray(noise), kind)
    for end in range(0, len(data) - 20, 37):
        with pytest.raises(DataError):
            decode(data[:end], "x", 3)


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_picture_is_read_or_refused(seed: int) -> None:
    image_module = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(seed)
    data = bytearray(encoded(image_module.fromarray(GRADIENT), ["PNG", "JPEG"][seed % 2]))
    for place in random.integers(8, len(data), 4):
        data[place] = random.integers(0, 256)
    try:
        found = decode(bytes(data), "x", 1)
    except DataError:
        return
    assert found.ndim == 3


# .npy


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_npy_of_both_versions_is_read_as_it_is(version: tuple[int, int]) -> None:
    stream = io.BytesIO()
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.lib.format.write_array(stream, array, version)
    assert np.array_equal(decode(stream.getvalue(), "x", 1), array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npy(np.array([{}]), allow_pickle=True), "wanted numbers, got objects"),
        (npy(np.array(["a"])), "wanted numbers, got"),
        (npy(np.zeros(3))[:-1], "truncated: \\[3\\] of float64 needs 24 bytes, there are 23"),
        (npy(np.zeros(3)) + b"x", "bytes left over"),
        (npy(np.zeros(3))[:20], "not a sound .npy file"),
        (b"\x93NUMPY\x09\x00" + bytes(20), "version 9.0"),
        (npy(np.zeros(3)).replace(b"(3,)", b"(99999999999999999999,)"[:4]), "not a sound .npy file"),
    ],
)
def test_hostile_arrays_are_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        decode(data, "x.npy", 1)
    assert str(caught.value).startswith("x.npy: not a sound .npy file: ")
    assert "\n" not in str(caught.value)


def test_a_stated_size_is_not_allocated() -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    with pytest.raises(DataError, match="truncated"):
        decode(stream.getvalue(), "x", 1)


def test_a_pipe_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: not a regular file"):
        read(tmp_path, 1)
    with pytest.raises(DataError, match="No such file"):
        read(tmp_path / "none.png", 1)


# Sizes


@pytest.mark.parametrize("size", [(5, 7), (3, 14), (9, 4)])
def test_shrinking_is_torchs_antialiased_resize(torch: Any, size: tuple[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 10, 15)).astype(np.float32)
    found = shrink(x, size)
    wanted = torch.nn.functional.interpolate(torch.from_numpy(x), found.shape[2:], mode="bilinear", antialias=True)
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-5)


# From a picture to a model's input


def digits() -> tuple[Digits, Inputs]:
    source = Digits(resize=(12, 12), normalize=(0.3, 0.4))
    found = Inputs.of(source)
    assert found is not None
    return source, found


def test_a_picture_of_the_data_set_becomes_what_training_made_of_it() -> None:
    source, inputs = digits()
    raw, ready = source.test.images[:5], source.test.gather(np.arange(5))[0]
    pixels = np.rint(raw * (255 / 16)).astype(np.uint8)
    np.testing.assert_allclose(inputs(pixels), ready, atol=0.005)  # pixels are rounded
    np.testing.assert_allclose(inputs((raw / 16).astype(np.float32)), ready, atol=1e-6)


def test_bytes_of_the_data_set_itself_give_the_same_bits(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 6)).astype(np.uint8)
    y = np.array([0, 1, 0, 1])
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    source = NPZ(str(tmp_path / "d.npz"), resize=(7, 7), normalize=(0.5, 0.2))
    inputs = Inputs.of(source)
    assert inputs is not None
    assert np.array_equal(inputs(x), source.train.gather(np.arange(4))[0])


@pytest.mark.parametrize("seed", range(3))
def test_a_larger_picture_keeps_its_brightness(seed: int) -> None:
    inputs = Inputs((1, 8, 8), 16.0, Preprocessing(1 / 16, (12, 12)))
    level = np.random.default_rng(seed).integers(1, 256)
    np.testing.assert_allclose(inputs(np.full((1, 1, 301, 77), level, np.uint8)), level / 255, rtol=1e-3)


@pytest.mark.parametrize(
    ("shape", "channels", "wanted"),
    [
        ((8, 8), 1, (1, 1, 8, 8)),
        ((1, 8, 9), 1, (1, 1, 8, 9)),
        ((5, 8, 9), 1, (5, 1, 8, 9)),
        ((8, 9, 1), 1, (1, 1, 8, 9)),
        ((5, 1, 8, 9), 1, (5, 1, 8, 9)),
        ((3, 8, 9), 3, (1, 3, 8, 9)),
        ((8, 9, 3), 3, (1, 3, 8, 9)),
        ((5, 8, 9, 3), 3, (5, 3, 8, 9)),
    ],
)
def test_arrays_of_every_arrangement_become_batches(shape: Any, channels: int, wanted: Any) -> None:
    inputs = Inputs((channels, 8, 8), 255.0, Preprocessing(1 / 255))
    assert inputs.batch(np.zeros(shape, np.float32), "x").shape == wanted


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2, 8, 8), np.float32), r"wanted an array \[1, H, W\], \[N, 1, H, W\], \[H, W\] or \[N, H, W\]"),
        (np.zeros(8, np.float32), "wanted an array"),
        (np.zeros((0, 8, 8), np.float32), "an empty array"),
        (np.full((8, 8), 256), "integers from 256 to 256; pixels are 0"),
        (np.full((8, 8), -1), "integers from -1"),
        (np.full((8, 8), np.nan, np.float32), "NaN or infinite"),
        (np.full((8, 8), 16.0), "values from 16 to 16; floats are 0"),
        (np.full((8, 8), 16, np.uint8), "divide by 16"),
    ],
)
def test_arrays_that_cannot_be_pictures_are_refused(array: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        digits()[1].batch(array, "x.npy")


def test_integers_are_pixels_and_booleans_are_black_and_white() -> None:
    _, inputs = digits()
    assert inputs.batch(np.array([[0, 255]]), "x").tolist() == [[[[0, 255]]]]
    assert inputs.batch(np.array([[False, True]]), "x").tolist() == [[[[0, 255]]]]


def test_inverting_swaps_black_and_white() -> None:
    _, inputs = digits()
    assert inputs.inverted(np.array([0, 200], np.uint8)).tolist() == [255, 55]
    assert inputs.inverted(np.array([0, 0.25], np.float32)).tolist() == [1, 0.75]


def test_white_is_found_for_every_source(tmp_path: Path) -> None:
    def of(source: Any) -> float:
        found = Inputs.of(source)
        assert found is not None
        return found.white

    assert of(Digits()) == 16
    assert of(Random((1, 2, 2))) == 1
    (tmp_path / "d.csv").write_text("0,0,255,3,4\n" * 5)
    assert of(CSV(str(tmp_path / "d.csv"), (1, 2, 2))) == 255
    assert of(CSV(str(tmp_path / "d.csv"), (1, 2, 2), scale=0.00392157)) == 255


def test_inputs_come_back_from_their_file(tmp_path: Path) -> None:
    for inputs in (digits()[1], Inputs((3, 4, 5), 1.0, Preprocessing(0.3, None, ([0.1, 0.2, 0.3], 0.5)), ("é", "b"))):
        (tmp_path / NAME).unlink(missing_ok=True)
        write_inputs(tmp_path, inputs)
        assert read_inputs(tmp_path) == inputs
    assert read_inputs(tmp_path / "nothing") is None


RECORD = digits()[1].record()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2}, {"shape": [1, 8]}, {"shape": [0, 8, 8]}, {"shape": [1, 8, 1 << 40]}, {"shape": "188"},
        {"white": 0}, {"white": float("nan")}, {"white": "16"}, {"scale": True}, {"resize": [0, 1]}, {"resize": 3},
        {"normalize": [0.1]}, {"normalize": [0.1, 0]}, {"normalize": [[0.1, 0.2], 1]}, {"classes": "ab"},
        {"classes": [1]},
    ],
)  # fmt: skip
def test_a_damaged_file_of_inputs_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / NAME).write_text(json.dumps({**RECORD, **change}))
    with pytest.raises(DataError, match="damaged"):
        read_inputs(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, "null", "\x00"])
def test_a_file_of_inputs_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(DataError, match="damaged"):
        read_inputs(tmp_path)
