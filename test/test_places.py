"""Where things go that are put beside others."""

import numpy as np
import pytest

from vlm_robot_ros.manipulation.geometry import ObjectGeometry
from vlm_robot_ros.policies.transfer.places import place_for
from vlm_robot_ros.policies.transfer.scene import SeenThing
from vlm_robot_ros.robot.config import Workspace

WORKSPACE = Workspace((0.2, -0.5, 0.0), (0.8, 0.5, 0.5), 0.5)


class Beside:
    """Puts things 12 cm beside others, on the table."""

    def place_beside(self, thing, target, way):
        return np.array([*(thing.geometry.base[:2] + 0.12 * way), 0.0])


def thing(noun, x, y, size=(0.06, 0.06, 0.08), z=0.0):
    box = ObjectGeometry(np.array([x, y, z]), np.array(size))
    return SeenThing(noun, box, 1.0, box.base, 1.0)


MUG, BOWL = thing("mug", 0.3, -0.4), thing("bowl", 0.5, 0.0)


def place(skill, *others, reference=BOWL):
    return place_for(skill, MUG, reference, [MUG, reference, *others], Beside(), WORKSPACE).point


def test_a_free_side_is_used_in_its_middle():
    np.testing.assert_allclose(place("place left"), [0.5, 0.12, 0.0])
    np.testing.assert_allclose(place("place behind"), [0.62, 0.0, 0.0])


def test_a_spot_is_chosen_that_is_free():
    shifted = place("place left", thing("fork", 0.53, 0.14, (0.05, 0.02, 0.01)))
    assert not np.allclose(shifted, [0.5, 0.12, 0.0])
    assert np.abs(shifted - [0.5, 0.12, 0.0]).max() <= 0.04 + 1e-9


def test_what_is_there_is_told_where_no_spot_is_free():
    with pytest.raises(LookupError, match="no free space to the left of the bowl: tray is there"):
        place("place left", thing("tray", 0.5, 0.14, (0.3, 0.2, 0.02)))
    with pytest.raises(LookupError, match="in front of the bowl: something else is there"):
        place("place in front", thing("", 0.38, 0.0, (0.2, 0.3, 0.1)))


def test_any_side_is_the_first_that_is_free_and_inside_the_workspace():
    point = place("place ?", thing("tray", 0.5, 0.14, (0.3, 0.2, 0.02)))
    np.testing.assert_allclose(point, [0.5, -0.12, 0.0])
    edge = thing("plate", 0.5, 0.45)
    np.testing.assert_allclose(place("place ?", reference=edge), [0.5, 0.33, 0.0])


def test_beside_a_thing_that_stands_on_another_is_on_that_or_beside_it_and_never_in_it():
    cabinet = thing("cabinet", 0.5, 0.0, (0.4, 0.4, 0.2))
    high = thing("bowl", 0.5, 0.0, z=0.2)
    np.testing.assert_allclose(place("place left", cabinet, reference=high), [0.5, 0.12, 0.2])
    narrow = thing("box", 0.5, 0.0, (0.1, 0.1, 0.2))
    assert place("place left", narrow, reference=high)[2] == 0.0


def test_the_held_thing_is_not_in_its_own_way():
    held = thing("mug", 0.5, 0.12)
    np.testing.assert_allclose(place("place left", held), [0.5, 0.12, 0.0])
