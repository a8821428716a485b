"""A scene of three objects, for the tests of tasks and of sentences."""

from vlm_robot_ros.tasks.scene import Scene, SceneObject, VisualConditions

SCENE = Scene(
    (SceneObject("red", "cube", 0.5, 0.0, 0.0), SceneObject("blue", "cube", 0.4, 0.2, 0.0),
     SceneObject("", "bowl", 0.6, -0.2, 0.0)), VisualConditions()
)  # fmt: skip
