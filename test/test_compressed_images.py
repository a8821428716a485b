"""Compressed images: JPEG and PNG are decoded right, all else is refused by its name."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from vlm_robot_ros.data.image_decoding import ImageError, to_depth, to_rgb

HEIGHT, WIDTH = 32, 48
SCENE = np.empty((HEIGHT, WIDTH, 3), np.uint8)
SCENE[:, : WIDTH // 2], SCENE[:, WIDTH // 2 :] = (200, 30, 30), (30, 30, 200)
GREY = SCENE[..., 0]
DEPTH = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 3000).astype(np.uint16)
NOISE = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)


def packed(array, kind, mode=None, **options):
    file, image = io.BytesIO(), Image.fromarray(array)
    image = image.convert(mode) if mode else image
    image.save(file, kind, **({"quality": 95} if kind == "JPEG" else {}), **options)
    return file.getvalue()


def palette():
    file = io.BytesIO()
    Image.fromarray(SCENE).quantize(4).save(file, "PNG")
    return file.getvalue()


def without_huffman_tables(jpeg):
    """Return a JPEG as webcams send them: every decoder knows these tables."""
    kept, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        length = 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        kept += b"" if jpeg[at + 1] == 0xC4 else jpeg[at : at + length]
        at += length
    return kept + jpeg[at:]


def rotated(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def message(data, kind):
    return SimpleNamespace(format=kind, data=data)


JPEG, PNG = packed(SCENE, "JPEG"), packed(SCENE, "PNG")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("jpeg", JPEG),
        ("", JPEG),
        ("bgr8; jpeg compressed bgr8", JPEG),
        ("rgb8; jpeg compressed bgr8", JPEG),
        ("bayer_rggb8; jpeg compressed bgr8", JPEG),
        ("yuv422_yuy2; jpeg compressed bgr8", JPEG),
        ("jpeg", without_huffman_tables(JPEG)),
        ("jpeg", JPEG + bytes(512)),
        ("jpeg", packed(SCENE, "JPEG", "CMYK")),
        ("jpeg", packed(SCENE, "JPEG", progressive=True)),
        ("png", PNG),
        ("bgr8; png compressed bgr8", PNG),
        ("bgra8; png compressed bgra8", packed(SCENE, "PNG", "RGBA")),
        ("png", palette()),
    ],
)
def test_jpeg_and_png_show_red_and_blue_where_they_are(kind, data):
    image = to_rgb(message(data, kind))
    assert image.shape == SCENE.shape
    off = np.abs(image.astype(int) - SCENE)
    assert max(off[:, :20].max(), off[:, 28:].max()) <= 6


@pytest.mark.parametrize("kind", ["mono16; png compressed mono16", "png"])
def test_a_png_of_16_bits_is_scaled_to_8(kind):
    image = to_rgb(message(packed(GREY.astype(np.uint16) * 257, "PNG"), kind))
    np.testing.assert_array_equal(image, np.repeat(GREY[..., None], 3, 2))


@pytest.mark.parametrize("data", [packed(GREY, "JPEG"), packed(GREY, "PNG")])
def test_a_grey_image_of_a_grey_camera_is_grey(data):
    image = to_rgb(message(data, "mono8; jpeg compressed mono8"))
    assert np.abs(image[:, :20].astype(int) - 200).max() <= 2


@pytest.mark.parametrize("encoding", ["yuv422_yuy2", "YUYV ", "uyvy", "nv12", "bayer_rggb8"])
@pytest.mark.parametrize("width", [WIDTH, 2 * WIDTH])
def test_colours_that_a_publisher_took_for_brightness_are_refused(encoding, width):
    """The image may even have the right width, and show a half of the scene twice as wide."""
    data = packed(np.resize(GREY, (HEIGHT, width)), "JPEG")
    with pytest.raises(ImageError, match=r"is grey, but was encoding '.*let the camera publish"):
        to_rgb(message(data, f"{encoding}; jpeg compressed mono8"))


@pytest.mark.parametrize("kind", ["16UC1; png compressed 16UC1", "32FC1; png compressed"])
def test_distances_on_a_topic_of_colour_are_refused(kind):
    with pytest.raises(ImageError, match="which is of depth images; valid: JPEG, PNG of colour"):
        to_rgb(message(packed(DEPTH, "PNG"), kind))


@pytest.mark.parametrize("kind", ["16UC1; compressedDepth png", "32FC1; compressedDepth rvl"])
def test_compressed_distances_are_refused(kind):
    given = message(bytes(12) + packed(DEPTH, "PNG"), kind)
    with pytest.raises(ImageError, match="is of depth images; valid: JPEG, PNG of colour"):
        to_rgb(given)
    with pytest.raises(ImageError, match=r"compressedDepth.*valid for depth: 32FC1"):
        to_depth(given)


@pytest.mark.parametrize(
    ("kind", "data", "name"),
    [
        ("webp", packed(SCENE, "WEBP"), "WebP"),
        ("jpeg", packed(SCENE, "TIFF"), "TIFF"),
        ("png", packed(SCENE, "GIF"), "GIF"),
        ("bmp", packed(SCENE, "BMP"), "BMP"),
        ("avif", b"\0\0\0\x20ftypavif" + bytes(50), "AVIF"),
        ("h264", b"\0\0\0\x01\x67\x64" + bytes(50), "a packet of video"),
        ("hevc", b"\0\0\x01\x40" + bytes(50), "a packet of video"),
    ],
)
def test_other_formats_are_refused_by_their_names(kind, data, name):
    problem = f"format '{kind}' with {len(data)} bytes is {name}, no JPEG or PNG; publish one"
    with pytest.raises(ImageError, match=problem):
        to_rgb(message(data, kind))


@pytest.mark.parametrize("data", [b"", b"\xff", b"hello", bytes(3000)])
def test_bytes_of_no_format_are_refused(data):
    with pytest.raises(ImageError, match=f"with {len(data)} bytes is no JPEG or PNG"):
        to_rgb(message(data, "jpeg"))


@pytest.mark.parametrize("whole", [packed(NOISE, "JPEG"), packed(NOISE, "PNG")])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.95])
@pytest.mark.parametrize("rest", [b"", bytes(4096)])
def test_images_that_are_cut_short_are_refused_also_when_zeros_follow(whole, part, rest):
    with pytest.raises(ImageError, match=r"cut short|cannot? be decoded|can be decoded"):
        to_rgb(message(whole[: int(part * len(whole))] + rest, "jpeg"))


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(1, SCENE), (3, SCENE[::-1, ::-1]), (6, np.rot90(SCENE, -1)), (8, np.rot90(SCENE))],
)
def test_an_image_is_turned_upright_as_exif_says(orientation, turned):
    image = to_rgb(message(packed(SCENE, "JPEG", exif=rotated(orientation)), "jpeg"))
    assert image.shape == turned.shape
    corners = image[[2, 2, -3, -3], [2, -3, 2, -3]].astype(int)
    assert np.abs(corners - turned[[2, 2, -3, -3], [2, -3, 2, -3]]).max() <= 6
