"""Boxes around what a depth camera measures."""

import numpy as np
import pytest

from vlm_robot_ros.manipulation.geometry import plan_grasp
from vlm_robot_ros.manipulation.segment_geometry import (
    SegmentError,
    segment_geometry,
    smallest_rectangle,
    support_height,
)


def _surface(heights, at=(0.4, 0.1), side=0.2, yaw=0.0, count=120):
    """Return points of a height field over a turned square, shape (count, count, 3)."""
    steps = (np.arange(count) + 0.5) / count - 0.5
    x, y = np.meshgrid(steps * side, steps * side, indexing="ij")
    z = heights(x, y)
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return np.stack([at[0] + cosine * x - sine * y, at[1] + sine * x + cosine * y, z], -1)


def _block(length, width, height):
    return lambda x, y: np.where((abs(x) < length / 2) & (abs(y) < width / 2), height, 0.0)


@pytest.mark.parametrize("yaw", [-1.2, -0.4, 0.0, 0.3, 1.0, 1.5])
def test_a_block_is_as_large_as_it_is_however_it_is_turned(yaw):
    points = _surface(_block(0.1, 0.04, 0.06), yaw=yaw)
    found = segment_geometry(points[..., 2] > 0.01, points, 0.0)
    np.testing.assert_allclose(found.box.size, [0.1, 0.04, 0.06], atol=0.006)
    np.testing.assert_allclose(found.box.base, [0.4, 0.1, 0.0], atol=0.003)
    apart = (found.box.yaw - yaw + np.pi / 2) % np.pi - np.pi / 2
    assert abs(apart) < 0.1
    assert not found.box.hollow
    assert not found.cut_off
    across = (plan_grasp(found.box).yaw - yaw + np.pi / 2) % np.pi - np.pi / 2
    assert abs(across) < 0.1, "the fingers close across the narrow side"


def test_a_bowl_is_hollow_and_has_a_place_inside():
    def bowl(x, y):
        radius = np.hypot(x, y)
        return np.where(radius > 0.06, 0.0, np.where(radius > 0.05, 0.05, 0.01))

    points = _surface(bowl)
    found = segment_geometry(points[..., 2] > 0.005, points, 0.0)
    assert found.box.hollow
    np.testing.assert_allclose(found.box.place, [0.4, 0.1, 0.01], atol=0.004)


def test_what_stands_on_something_else_begins_there():
    points = _surface(_block(0.05, 0.05, 0.25))
    points[..., 2] = np.where(points[..., 2] > 0.1, points[..., 2], 0.2)
    mask = points[..., 2] > 0.21
    others = points[~mask]
    assert support_height(others, np.array([0.4, 0.1])) == pytest.approx(0.2, abs=0.002)
    box = segment_geometry(mask, points, 0.2).box
    assert box.base[2] == pytest.approx(0.2)
    assert box.size[2] == pytest.approx(0.05)


def test_a_bottle_that_hides_its_back_is_as_deep_as_wide():
    angles, heights = np.meshgrid(np.linspace(np.pi / 2, 3 * np.pi / 2, 60), np.linspace(0, 1, 90))
    radius = np.where(heights < 0.7, 0.03, 0.012)
    points = np.stack(
        [0.4 + radius * np.cos(angles), 0.1 + radius * np.sin(angles), 0.2 * heights], -1
    )
    camera, mask = np.array([-0.5, 0.1, 0.4]), np.ones(angles.shape, bool)
    seen = segment_geometry(mask, points, 0.0).box
    whole = segment_geometry(mask, points, 0.0, camera).box
    assert min(seen.size[:2]) < 0.035
    np.testing.assert_allclose(whole.size[:2], [0.06, 0.06], atol=0.012)
    assert abs(whole.base[0] - 0.4) < 0.006 < abs(seen.base[0] - 0.4)


def test_noise_and_single_wrong_points_change_little():
    rng = np.random.default_rng(0)
    points = _surface(_block(0.08, 0.05, 0.05))
    mask = points[..., 2] > 0.01
    noisy = points + rng.normal(0.0, 0.001, points.shape)
    wrong = rng.random(mask.shape) < 0.005
    noisy[wrong] += rng.uniform(-0.3, 0.3, (int(wrong.sum()), 3))
    noisy[rng.random(mask.shape) < 0.2] = np.nan
    found = segment_geometry(mask, noisy, 0.0)
    np.testing.assert_allclose(found.box.size, [0.08, 0.05, 0.05], atol=0.008)
    assert found.missing == pytest.approx(0.2, abs=0.03)


def test_what_is_not_measured_has_no_shape():
    points = _surface(_block(0.1, 0.1, 0.1))
    mask = points[..., 2] > 0.01
    glass = points.copy()
    glass[np.random.default_rng(0).random(mask.shape) < 0.7] = np.nan
    with pytest.raises(SegmentError, match="no distance: it may be glass"):
        segment_geometry(mask, glass, 0.0)
    one = np.zeros_like(mask)
    one[60, 60] = True
    with pytest.raises(SegmentError, match="0 of 1 pixels"):
        segment_geometry(one, np.full_like(points, np.nan), 0.0)
    with pytest.raises(SegmentError, match="nothing was measured of what it stands on"):
        support_height(np.full((10, 3), np.nan), np.zeros(2))


def test_what_ends_at_the_border_of_the_image_may_be_larger():
    points = _surface(_block(0.1, 0.1, 0.1))
    mask = points[..., 2] > 0.01
    mask[0, 50:60] = True
    assert segment_geometry(mask, points, 0.0).cut_off


def test_points_on_one_line_have_a_rectangle():
    line = np.column_stack([np.linspace(0, 0.1, 20), np.zeros(20)])
    middle, sides, yaw = smallest_rectangle(line)
    np.testing.assert_allclose(middle, [0.05, 0.0], atol=0.003)
    assert sides[0] == pytest.approx(0.1)
    assert abs(yaw) < 1e-6
