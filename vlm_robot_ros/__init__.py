"""An arm that does what a person says: vision, language and action over ROS 2."""

# The generated messages (`vlm_robot_ros.msg`) are installed by colcon, in another folder than a
# source checkout or a `pip install`; this joins the folders, whichever is found first.
from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
