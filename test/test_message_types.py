"""Types that any peer names are looked up among installed interface packages only."""

import sys

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from sensor_msgs.msg import Image

from vlm_robot_ros.msg import VlmAction
from vlm_robot_ros.ros.message_types import message_class


def test_types_of_installed_packages_are_found():
    assert message_class("sensor_msgs/msg/Image") is Image
    assert message_class("vlm_robot_ros/msg/VlmAction") is VlmAction


@pytest.mark.parametrize(
    "name",
    ["os/msg/System", "evil/msg/Image", "evil.sub/msg/Image", "../evil/msg/Image",
     "sensor_msgs/msg/_Image", "sensor_msgs/msg/Nothing", "sensor_msgs/srv/SetCameraInfo",
     "sensor_msgs/msg/Image_", "Image", "", "a/b/c/d", "sensor_msgs/msg/Image/x"],
)  # fmt: skip
def test_other_names_are_refused_and_nothing_is_imported(name, tmp_path, monkeypatch):
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "__init__.py").write_text("")
    (tmp_path / "evil" / "msg.py").write_text("class Image: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LookupError):
        message_class(name)
    assert "evil" not in sys.modules
