"""Raw images of every encoding become the same RGB image, or are refused with what is valid."""

from types import SimpleNamespace

import numpy as np
import pytest

from vlm_robot_ros.data.image_decoding import ImageError, to_depth, to_rgb

HEIGHT, WIDTH = 8, 12
RED, BLUE = (200, 30, 30), (30, 30, 200)
SCENE = np.empty((HEIGHT, WIDTH, 3), np.uint8)
SCENE[:, : WIDTH // 2], SCENE[:, WIDTH // 2 :] = RED, BLUE
BGR = SCENE[..., ::-1]
ALPHA = np.full((HEIGHT, WIDTH, 1), 128, np.uint8)


def ycc():
    """Return brightness and the two colour differences of the scene: BT.601, limited range."""
    r, g, b = np.moveaxis(SCENE / 255.0, -1, 0)
    y = 16 + 65.481 * r + 128.553 * g + 24.966 * b
    cb = 128 - 37.797 * r - 74.203 * g + 112.0 * b
    cr = 128 + 112.0 * r - 93.786 * g - 18.214 * b
    return (np.round(plane).astype(np.uint8) for plane in (y, cb, cr))


Y, CB, CR = ycc()
GREY = np.repeat(np.round(SCENE @ [0.299, 0.587, 0.114]).astype(np.uint8)[..., None], 3, 2)


def packed(order):
    """Return pairs of pixels that share their colour: "yuyv" or "uyvy"."""
    data = np.empty((HEIGHT, WIDTH, 2), np.uint8)
    bright = order.index("y")
    data[..., bright] = Y
    data[:, 0::2, 1 - bright], data[:, 1::2, 1 - bright] = CB[:, 0::2], CR[:, 0::2]
    return data


def planar(first, second):
    """Return the plane of brightness and below it one of a quarter of the colours."""
    colours = np.stack([first[::2, ::2], second[::2, ::2]], -1).reshape(HEIGHT // 2, WIDTH)
    return np.concatenate([Y, colours])


def mosaic(pattern, scale=1, dtype=np.uint8):
    """Return what a sensor sees behind a Bayer filter."""
    data = np.empty((HEIGHT, WIDTH), dtype)
    for number, colour in enumerate(pattern):
        rows, columns = slice(number // 2, None, 2), slice(number % 2, None, 2)
        data[rows, columns] = SCENE[rows, columns, "rgb".index(colour)].astype(dtype) * scale
    return data


def message(pixels, encoding, **changes):
    """Return what looks like a sensor_msgs Image of the scene."""
    given = {"height": HEIGHT, "width": WIDTH, "encoding": encoding, "is_bigendian": 0,
             "step": pixels[0].nbytes, "data": pixels.tobytes()}  # fmt: skip
    return SimpleNamespace(**{**given, **changes})


def wide(array):
    return array.astype(np.uint16) * 257


COLOURS = {
    "rgb8": SCENE,
    "bgr8": BGR,
    "rgba8": np.dstack([SCENE, ALPHA]),
    "bgra8": np.dstack([BGR, ALPHA]),
    "8UC3": BGR,
    "8UC4": np.dstack([BGR, ALPHA]),
    "rgb16": wide(SCENE),
    "bgr16": wide(BGR),
    "rgba16": wide(np.dstack([SCENE, ALPHA])),
    "bgra16": wide(np.dstack([BGR, ALPHA])),
    "yuv422_yuy2": packed("yuyv"),
    "yuyv": packed("yuyv"),
    "yuv422": packed("uyvy"),
    "uyvy": packed("uyvy"),
    "nv12": planar(CB, CR),
    "nv21": planar(CR, CB),
    **{f"bayer_{p}8": mosaic(p) for p in ("rggb", "bggr", "gbrg", "grbg")},
    **{f"bayer_{p}16": mosaic(p, 257, np.uint16) for p in ("rggb", "bggr", "gbrg", "grbg")},
}
GREYS = {"mono8": GREY[..., 0], "8UC1": GREY[..., 0], "mono16": wide(GREY[..., 0])}


def check(image, scene):
    """Check both halves away from the edge between them, where colours are interpolated."""
    assert (image.shape, image.dtype) == (SCENE.shape, np.uint8)
    assert image.flags["C_CONTIGUOUS"]
    off = np.abs(image.astype(int) - scene)
    half = WIDTH // 2
    assert max(off[:, : half - 1].max(), off[:, half + 1 :].max()) <= 2


@pytest.mark.parametrize("encoding", COLOURS)
def test_every_encoding_of_colour_shows_red_and_blue_where_they_are(encoding):
    check(to_rgb(message(COLOURS[encoding], encoding)), SCENE)


@pytest.mark.parametrize("encoding", GREYS)
def test_every_encoding_of_brightness_becomes_grey(encoding):
    check(to_rgb(message(GREYS[encoding], encoding)), GREY)


@pytest.mark.parametrize("encoding", ["RGB8", "rgb8 ", " Rgb8\0"])
def test_case_and_blanks_of_an_encoding_do_not_matter(encoding):
    check(to_rgb(message(SCENE, encoding)), SCENE)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr16", "yuyv", "nv12", "bayer_gbrg16", "mono8"])
def test_padded_rows_are_read_by_their_step(encoding):
    data = {**COLOURS, **GREYS}[encoding]
    rows = data.reshape(len(data), -1).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, 7)), constant_values=99)
    found = to_rgb(message(padded, encoding))
    np.testing.assert_array_equal(found, to_rgb(message(data, encoding)))


@pytest.mark.parametrize("encoding", ["rgb16", "mono16", "bayer_rggb16"])
def test_values_of_16_bits_are_read_in_their_order_of_bytes(encoding):
    data = {**COLOURS, **GREYS}[encoding]
    ramp = (data // 257 * 256).astype(np.uint16)  # whose bytes differ
    found = to_rgb(message(ramp.astype(">u2"), encoding, is_bigendian=1))
    np.testing.assert_array_equal(found, to_rgb(message(ramp, encoding)))
    assert found.max() >= 79


def test_the_order_of_bytes_means_nothing_for_8_bits():
    check(to_rgb(message(SCENE, "rgb8", is_bigendian=1)), SCENE)


@pytest.mark.parametrize(
    ("pixels", "encoding", "changes", "problem"),
    [
        (SCENE, "", {}, "encoding ''; valid: rgb8, bgr8"),
        (SCENE, "8UC7", {}, "encoding '8UC7'; valid: rgb8, bgr8"),
        (SCENE, "yuv420", {}, "encoding 'yuv420'; valid: .*nv12, nv21, bayer_rggb8"),
        (wide(GREY[..., 0]), "16UC1", {}, "'16UC1' is of depth images .*; valid .*: rgb8"),
        (SCENE, "32FC1", {}, "encoding '32FC1' is of depth images"),
        (SCENE, "rgb8", {"step": 0}, "step 0 for 12 pixels of 3 bytes; valid: 36 bytes at least"),
        (SCENE, "rgb8", {"step": WIDTH}, "step 12 for 12 pixels of 3 bytes"),
        (SCENE, "rgb8", {"data": b"\0" * 300}, "300 bytes of data; 8 rows of step 36 are 288"),
        (SCENE, "rgb8", {"data": b"\0" * 280}, "280 bytes of data; 8 rows of step 36 are 288"),
        (Y, "nv12", {}, "96 bytes of data; 12 rows of step 12 are 144"),
        (SCENE, "rgb8", {"height": 0, "width": 0, "step": 0, "data": b""}, "size 0x0; valid: 1x1"),
        (SCENE, "nv21", {"height": 0, "width": 0, "step": 0, "data": b""}, "size 0x0; valid: 1x1"),
        (SCENE, "rgb8", {"width": 9000}, "size 9000x8; valid: 1x1 to 8192x8192"),
        (SCENE, "yuyv", {"width": 11}, "size 11x8; valid for encoding 'yuyv': even widths"),
        (SCENE, "nv12", {"height": 7}, "size 12x7; .* even widths and heights"),
        (SCENE, "bayer_rggb8", {"width": 2}, "size 2x8; .*: 3x3 at least"),
    ],
)
def test_images_that_cannot_be_right_are_refused_with_what_is_valid(
    pixels, encoding, changes, problem
):
    with pytest.raises(ImageError, match=problem):
        to_rgb(message(pixels, encoding, **changes))


@pytest.mark.parametrize("encoding", ["16UC1", "mono16", "MONO16 "])
def test_millimetres_are_distances_by_either_name(encoding):
    depth = np.full((HEIGHT, WIDTH), 800, np.uint16)
    np.testing.assert_allclose(to_depth(message(depth, encoding)), 0.8)
    swapped = message(depth.astype(">u2"), encoding, is_bigendian=1)
    np.testing.assert_allclose(to_depth(swapped), 0.8)


@pytest.mark.parametrize("encoding", ["16SC1", "64FC1", "rgb8", "mono8", ""])
def test_distances_of_other_encodings_are_refused(encoding):
    with pytest.raises(ImageError, match=f"'{encoding}'; valid for depth: 32FC1, 16UC1, mono16"):
        to_depth(message(np.zeros((HEIGHT, WIDTH), np.uint16), encoding))
