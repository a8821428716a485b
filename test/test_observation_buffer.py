"""When a policy with several cameras is asked: once a moment, about images of that moment."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from rclpy.clock import Clock
from sensor_msgs.msg import Image

from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.message_conversions import to_stamp
from vlm_robot_ros.ros.observation_buffer import ObservationBuffer

ROBOT = load_robot("panda_sim")
FRONT, WRIST = (camera.name for camera in ROBOT.colour_cameras[:2])


def image_of(camera, stamp):
    width, height = ROBOT.camera(camera).width, ROBOT.camera(camera).height
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    message.header.stamp = to_stamp(stamp)
    message.data = np.full(3 * width * height, 99, np.uint8).tobytes()
    return message


def asked_at(images):
    """Return the times at which a policy is asked, of images given as (camera, time [s])."""
    buffer = ObservationBuffer(ROBOT, ROBOT.colour_cameras[:2], 0.5, 0.3, Clock())
    asked = [buffer.on_image(camera, image_of(camera, stamp)) for camera, stamp in images]
    return [round(stamp, 3) for stamp in asked if stamp is not None]


def test_two_images_of_a_moment_are_one_question():
    images = [(camera, 0.1 * tick) for tick in range(1, 6) for camera in (FRONT, WRIST)]
    assert asked_at(images) == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_cameras_that_take_turns_are_asked_about_once_a_round():
    images = [(FRONT, 0.1), (WRIST, 0.15), (FRONT, 0.2), (WRIST, 0.25), (FRONT, 0.3)]
    assert asked_at(images) == [0.15, 0.25]


def test_a_faster_camera_waits_for_the_slower_one():
    images = [(FRONT, 0.0), (FRONT, 0.03), (FRONT, 0.06), (WRIST, 0.06), (FRONT, 0.1)]
    assert asked_at(images) == [0.06]


def test_a_lost_image_does_not_join_the_images_of_different_moments():
    images = [(camera, tick / 10) for tick in range(6) for camera in (FRONT, WRIST)]
    images.remove((FRONT, 0.1))
    assert asked_at(images) == [0.0, 0.2, 0.3, 0.4, 0.5]
    images.remove((WRIST, 0.3))
    assert asked_at(images)[0] == 0.0
    assert asked_at(images)[-2:] == [0.4, 0.5]


def test_a_camera_that_says_nothing_more_does_not_silence_the_other():
    images = [(FRONT, 0.0), (WRIST, 0.0), *((FRONT, 0.1 * tick) for tick in range(1, 7))]
    assert asked_at(images) == [0.0, 0.3, 0.6]
