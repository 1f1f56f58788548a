"""Every format and mode of pictures that is read, by every name; damage of metadata, of pixels; large ones."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.data import ImageFolder
from lenetcli.data.inputs import Inputs
from lenetcli.data.pictures import FORMATS, MOST_PIXELS, SUFFIXES, decode, read
from lenetcli.errors import DataError
from tests.mutation import largest_memory, mutations

pillow = pytest.importorskip("PIL.Image")

GRADIENT = np.linspace(0, 255, 60).astype(np.uint8).reshape(6, 10)
NOISE = np.random.default_rng(0).integers(0, 256, (24, 30, 3)).astype(np.uint8)
LOSSY = ("JPEG",)
OPTIONS: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}
MODES = {  # what each format can hold
    "PNG": ("L", "LA", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
    "BMP": ("L", "RGB", "RGBA"),
    "WEBP": ("L", "LA", "RGB", "RGBA"),
    "TIFF": ("L", "LA", "RGB", "RGBA", "CMYK", "I;16", "I"),
    "GIF": ("L", "RGB"),
    "PPM": ("L", "RGB", "I;16", "I"),
}
KIND_OF = {
    ".png": "PNG", ".apng": "PNG", ".bmp": "BMP", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".gif": "GIF",
    ".ppm": "PPM", ".pgm": "PPM", ".pbm": "PPM", ".pnm": "PPM",
}  # fmt: skip
SECOND = {"PNG": "jpg", "JPEG": "png"}  # a suffix that the content is not


def encoded(image: Any, kind: str, **options: Any) -> bytes:
    held = io.BytesIO()
    image.save(held, kind, **(OPTIONS.get(kind, {}) | options))
    return held.getvalue()


def gradient(mode: str) -> Any:
    """The gray gradient in a mode, all of it opaque."""
    if mode.startswith("I"):
        deep = GRADIENT.astype(np.uint16 if mode == "I;16" else np.int32) * 257
        return pillow.fromarray(deep)
    return pillow.fromarray(GRADIENT).convert("RGB").convert(mode)


CASES = [(kind, mode) for kind in FORMATS for mode in MODES[kind]]


@pytest.mark.parametrize(("kind", "mode"), CASES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_format_and_mode_gives_the_same_pixels(kind: str, mode: str, channels: int) -> None:
    found = decode(encoded(gradient(mode), kind), "x", channels)
    assert (found.shape, found.dtype) == ((channels, 6, 10), np.uint8)
    assert np.abs(found[:3].astype(int) - GRADIENT).max() <= (8 if kind in LOSSY else 1)
    if channels == 4:
        assert (found[3] == 255).all()


def test_every_suffix_is_read_in_any_case(tmp_path: Path) -> None:
    for i, suffix in enumerate(SUFFIXES):
        content = encoded(pillow.fromarray(NOISE), KIND_OF.get(suffix, "JPEG"))
        for name in (suffix, suffix.upper()):
            (tmp_path / f"class{i % 2}" / f"{name[1:]}").mkdir(parents=True)
            (tmp_path / f"class{i % 2}" / name[1:] / f"a{name}").write_bytes(content)
    source = ImageFolder(str(tmp_path), test_fraction=0.1)
    assert len(source.train) + len(source.test) == 2 * len(SUFFIXES)
    assert source.left_out == ()
    for part in (source.train, source.test):
        part.gather(np.arange(len(part)))


@pytest.mark.parametrize("kind", FORMATS)
def test_content_decides_where_the_suffix_is_wrong(kind: str, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(3):
            suffix = SECOND.get(kind, "png")
            (tmp_path / name / f"{i}.{suffix}").write_bytes(encoded(pillow.fromarray(NOISE), kind))
    source = ImageFolder(str(tmp_path), test_fraction=0.3)
    assert source.train.gather(np.arange(4))[0].shape == (4, 3, 24, 30)


@pytest.mark.parametrize("kind", FORMATS)
def test_training_and_predict_bring_a_picture_to_the_same_bits(kind: str, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(2):
            (tmp_path / name / f"{i}.png").write_bytes(encoded(pillow.fromarray(NOISE[i:]), kind))
    source = ImageFolder(str(tmp_path), resize=(9, 13), normalize=(0.4, 0.3), test_fraction=0.5)
    inputs = Inputs.of(source)
    assert inputs is not None
    for index in range(2):
        path = Path(source.train.origin(index))  # type: ignore[misc]
        seen = inputs(inputs.batch(read(path, 3, inputs.shape[1:]), "x"))
        assert np.array_equal(seen, source.train.gather(np.array([index]))[0])


def test_what_is_no_picture_is_left_out_and_counted(tmp_path: Path) -> None:
    content = encoded(pillow.fromarray(NOISE), "PNG")
    for name in ("cat", "dog"):
        for path in ("a.png", "b.PNG", "inner/c.png", "inner/deeper/d.png"):
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_bytes(content)
        for path in (
            ".DS_Store",
            "Thumbs.db",
            "._a.png",
            "photo.heic",
            "notes.txt",
            "e",
            "inner/f.heic",
            "desktop.ini",
        ):
            (tmp_path / name / path).write_bytes(b"x")
        (tmp_path / name / ".git").mkdir()
        (tmp_path / name / "__MACOSX").mkdir()
        (tmp_path / name / "__MACOSX" / "a.png").write_bytes(content)
        (tmp_path / name / "gone.png").symlink_to(tmp_path / "nowhere.png")
        (tmp_path / name / "inner" / "round").symlink_to(tmp_path / name, target_is_directory=True)
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "beside.png").write_bytes(content)
    source = ImageFolder(str(tmp_path))
    assert (source.classes, len(source.train) + len(source.test)) == (("cat", "dog"), 8)
    found = {part.why: part.count for part in source.left_out}
    assert found == {
        "hidden, or a file of the system": 13, ".heic files": 4, ".txt files": 2, "files without a suffix": 2,
        "broken links, pipes or devices": 2, "links that lead back to a folder above": 2,
        "files beside the classes' folders": 1,
    }  # fmt: skip
    said = next(part for part in source.left_out if part.why == ".heic files")
    assert str(said) == f"left out: 4 .heic files ({tmp_path / 'cat' / 'inner' / 'f.heic'}, ...)"


def test_a_folder_of_the_classes_folders_is_no_class(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "a.png").write_bytes(encoded(pillow.fromarray(NOISE), "PNG"))
    with pytest.raises(DataError, match=r"alone \(cat, dog\), and it would be the only class; data.root=.*photos"):
        _ = ImageFolder(str(tmp_path)).train


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train", "test"), True), (("Train", "Test"), True), (("training", "testing"), True), (("TRAIN", "val"), True),
        (("seg_train", "seg_test"), False), (("images_train", "images_val"), False), (("Training", "other"), False),
    ],
)  # fmt: skip
def test_splits_are_never_taken_for_classes(names: tuple[str, str], splits: bool, tmp_path: Path) -> None:
    for split in names:
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "a.png").write_bytes(encoded(pillow.fromarray(NOISE), "PNG"))
    source = ImageFolder(str(tmp_path))
    if splits:
        assert (source.classes, len(source.train), len(source.test)) == (("cat", "dog"), 2, 2)
    else:
        with pytest.raises(DataError, match=r"pictures lie in its folders alone \(cat, dog\), beside .*two splits"):
            _ = source.train


# Damage


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of what each segment holds that programs wrote about the picture."""
    at = 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xE1 <= data[at + 1] <= 0xED or data[at + 1] == 0xFE:
            yield at + 4, end
        at = end


def exif() -> Any:
    found = pillow.Exif()
    found[0x010E], found[0x0132] = "a description", "2020:01:01 00:00:00"
    found.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    found.get_ifd(0x8825)[1] = "N"
    return found


def jpegs() -> dict[str, bytes]:
    image, held = pillow.fromarray(NOISE), io.BytesIO()
    image.save(held, "MPO", save_all=True, append_images=[image.resize((8, 8))], exif=exif())
    return {"exif": encoded(image, "JPEG", exif=exif(), comment=b"c" * 30), "MPF": held.getvalue()}


@pytest.mark.parametrize("name", ["exif", "MPF"])
@pytest.mark.parametrize("seed", range(8))
def test_damaged_metadata_of_a_jpeg_leave_its_pixels(name: str, seed: int) -> None:
    data, random = jpegs()[name], np.random.default_rng(seed)
    wanted = decode(data, "x", 3)
    for start, end in jpeg_segments(data):
        changed = bytearray(data)
        for at in random.integers(start, end, 6):
            changed[at] = random.integers(0, 256)
        cut = start + int(random.integers(0, end - start))
        half = data[: start - 2] + struct.pack(">H", 2 + cut - start) + data[start:cut] + data[end:]
        for damaged in (bytes(changed), half):
            found = decode(damaged, "x", 3)
            assert sorted(found.shape) == sorted(wanted.shape)
            if found.shape == wanted.shape and np.array_equal(found, wanted):
                continue
            assert name == "exif"  # a changed orientation is believed
            assert np.array_equal(np.sort(found.ravel()), np.sort(wanted.ravel()))


def png_chunks(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    at = 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield at, data[at + 4 : at + 8], size
        at += 12 + size


@pytest.mark.parametrize("mended", [False, True])
def test_damaged_metadata_of_a_png_leave_its_pixels(mended: bool) -> None:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("a", "b" * 99)
    info.add_text("bomb", "b" * 99_999, zip=True)
    info.add_itxt("XML:com.adobe.xmp", "<x/>" * 9, zip=True)
    data = encoded(pillow.fromarray(NOISE), "PNG", exif=exif(), pnginfo=info, dpi=(72, 72))
    seen = set()
    for at, kind, size in png_chunks(data):
        if not size:
            continue
        changed = bytearray(data)
        changed[at + 8 + size // 2] ^= 0x55
        if mended:
            changed[at + 8 + size : at + 12 + size] = struct.pack(">I", zlib.crc32(changed[at + 4 : at + 8 + size]))
        if kind in (b"IHDR", b"IDAT"):
            if mended:
                continue  # another picture, as far as anyone can tell
            with pytest.raises(DataError, match="x: "):
                decode(bytes(changed), "x", 3)
        else:
            seen.add(kind)
            assert np.array_equal(np.moveaxis(decode(bytes(changed), "x", 3), 0, -1), NOISE)
    assert seen == {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"pHYs"}


def test_bytes_within_the_end_of_a_png_are_refused() -> None:
    end = struct.pack(">I", 3) + b"IENDabc"
    data = encoded(pillow.fromarray(NOISE), "PNG")[:-12] + end + struct.pack(">I", zlib.crc32(end[4:]))
    with pytest.raises(DataError, match=r"^x: damaged .*: 3 bytes in the picture's end, which has none$"):
        decode(data, "x", 3)


@pytest.mark.parametrize("tail", [b"x", b"\0" * 9, b"PK\x03\x04", "again"])
def test_bytes_after_the_end_of_a_png_are_refused(tail: bytes | str) -> None:
    data = encoded(pillow.fromarray(NOISE), "PNG")
    more = data if isinstance(tail, str) else tail
    with pytest.raises(DataError, match=rf"^x: damaged .*: {len(more):,} bytes left over after the picture's end$"):
        decode(data + more, "x", 3)


def test_what_follows_a_jpeg_is_a_phones_own_business() -> None:
    data = encoded(pillow.fromarray(NOISE), "JPEG")
    assert np.array_equal(decode(data + b"a short film" * 99, "x", 3), decode(data, "x", 3))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_cut_anywhere_is_refused(kind: str) -> None:
    data = encoded(pillow.fromarray(NOISE), kind)
    for end in range(0, len(data) - 20, 61):
        with pytest.raises(DataError):
            decode(data[:end], "x", 3)


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_pictures_of_every_format_are_read_or_refused_in_a_line(kind: str) -> None:
    data, before = encoded(pillow.fromarray(NOISE), kind), largest_memory()
    for damaged in mutations(data, 100, seed=2):
        try:
            said = f"x: {decode(damaged, 'x', 3, (8, 8)).ndim} axes"
        except DataError as error:
            said = str(error)
        assert said.startswith("x: ")
        assert "\n" not in said
    assert largest_memory() - before < 2**30


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"P6 ", b"\xff\xd8\xff"]
)
def test_no_message_shows_what_only_python_knows(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    for i in range(2):
        (tmp_path / "cat" / f"{i}.png").write_bytes(content)
    with pytest.raises(DataError) as caught:
        _ = ImageFolder(str(tmp_path), test_fraction=0.5).train
    assert re.search(r"[01]\.png: damaged or truncated picture: ", str(caught.value))
    assert not re.search(r"BytesIO|0x[0-9a-f]{6}|object at", str(caught.value))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0\0\x18ftypheic" + bytes(99), "HEIC, which is not read: convert"),
        (b"\0\0\0\x18ftypavif" + bytes(99), "AVIF, which is not read"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>404", "a text"),
    ],
)
def test_what_is_called_a_picture_and_is_none_is_told(content: bytes, message: str) -> None:
    from lenetcli.data.pictures import decode_picture

    for reader in (decode, decode_picture):
        with pytest.raises(DataError, match=rf"^x\.jpg: {message}|^x\.jpg: .*{message}"):
            reader(content, "x.jpg", 3)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (GRADIENT.astype(np.float32), "its pixels are floats"),
        (GRADIENT.astype(np.int32) * 70_000, "its pixels have more than 16 bits: 0 to 17850000"),
        (-GRADIENT.astype(np.int32), "its pixels have more than 16 bits: -255 to 0"),
    ],
)
def test_a_sound_picture_that_is_not_read_is_not_called_damaged(array: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^x: {message}"):
        decode(encoded(pillow.fromarray(array), "TIFF"), "x", 1)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_picture_is_taken(kind: str) -> None:
    first, second = pillow.fromarray(NOISE).convert("L"), pillow.fromarray(255 - NOISE).convert("L")
    data = encoded(first, kind, save_all=True, append_images=[second])
    assert np.array_equal(decode(data, "x", 1)[0], np.asarray(first))


# Large ones


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a photograph of 24 megapixels in each class, one of them on its side."""
    place = tmp_path_factory.mktemp("phone")
    ramp = np.add.outer(np.arange(4284) // 34, np.arange(5712) // 45).astype(np.uint8)
    turned = pillow.Exif()
    turned[0x0112] = 6
    for name, options in (("cat", {}), ("dog", {"exif": turned})):
        (place / name).mkdir()
        for i in range(2):
            (place / name / f"{i}.jpg").write_bytes(encoded(pillow.fromarray(ramp), "JPEG", quality=60, **options))
    return place


def test_a_photograph_of_a_phone_is_decoded_at_reduced_scale(phone: Path) -> None:
    source = ImageFolder(str(phone), resize=(32, 40), channels=1, test_fraction=0.5)
    inputs, _ = source.train.gather(np.arange(2))
    exact = ImageFolder(str(phone), resize=(32, 40), channels=1, test_fraction=0.5, max_pixels=5712 * 4284)
    form = Inputs.of(exact)
    assert form is not None
    assert form.record()["max_pixels"] == 5712 * 4284
    held = Inputs.of(source)
    assert held is not None
    for index in range(2):
        path = Path(source.train.origin(index))  # type: ignore[misc]
        assert np.array_equal(held(read(path, 1, (32, 40))[None]), inputs[index : index + 1])
        whole = held(read(path, 1, None, 5712 * 4284)[None])
        assert np.abs(whole - inputs[index]).max() < 0.02  # of 1


def test_without_a_size_to_go_to_the_key_is_named(phone: Path) -> None:
    with pytest.raises(DataError) as caught:
        _ = ImageFolder(str(phone), test_fraction=0.5).train
    assert "5,712 x 4,284 pixels, more than the 16,777,216 allowed" in str(caught.value)
    assert "data.resize=[rows, columns] decodes it smaller, or data.max_pixels=24470208 allows it" in str(caught.value)
    assert str(caught.value).count(".jpg: ") == 2  # every one, in one go


def test_the_limit_holds_for_what_cannot_be_reduced(tmp_path: Path) -> None:
    image = pillow.new("L", (5000, 5000))
    png, small = encoded(image, "PNG"), encoded(image, "JPEG")
    with pytest.raises(DataError, match=r"5,000 x 5,000 pixels, .* data\.max_pixels=25000000 allows it"):
        decode(png, "x", 1, (8, 8))
    assert decode(png, "x", 1, (8, 8), 25_000_000).shape == (1, 5000, 5000)
    assert decode(small, "x", 1, (8, 8)).shape == (1, 625, 625)
    with pytest.raises(DataError, match="more than the 1,000 allowed"):
        decode(small, "x", 1, (8, 8), 1000)
    assert MOST_PIXELS == 1 << 24
