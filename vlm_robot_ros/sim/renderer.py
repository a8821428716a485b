"""What the cameras of the simulated world see."""

import atexit
import weakref

import mujoco
import numpy as np

from vlm_robot_ros.data.sim_episode import IMAGE
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.tasks.scene import Scene


class CameraRenderer:
    """Draws a world as it is at the moment."""

    def __init__(self, robot: RobotConfig, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._robot, self._model, self._data = robot, model, data
        self._renderers: dict[str, mujoco.Renderer] = {}
        self._finalizer = weakref.finalize(self, _close_all, self._renderers)

    def colours(self, camera: str) -> np.ndarray:
        """Draw what a camera of the contract sees. Shape (H, W, 3), uint8 RGB."""
        if camera not in self._renderers:
            self._renderer(camera, self._size(camera))
        self._renderers[camera].update_scene(self._data, self._camera_id(camera))
        return self._renderers[camera].render()

    def depth(self, camera: str) -> np.ndarray:
        """Measure what a depth camera of the contract does. Shape (H, W), float32 [m]."""
        kind = f"{camera} depth"
        if kind not in self._renderers:
            self._renderer(kind, self._size(camera)).enable_depth_rendering()
        self._renderers[kind].update_scene(self._data, self._camera_id(camera))
        return self._renderers[kind].render()

    def things(self, scene: Scene | None) -> np.ndarray:
        """Tell what each pixel of the front camera shows: see `Simulator.render_things`."""
        if "front segments" not in self._renderers:
            self._renderer("front segments", (IMAGE, IMAGE)).enable_segmentation_rendering()
        renderer = self._renderers["front segments"]
        renderer.update_scene(self._data, "front")
        segments = renderer.render()
        number = np.zeros(self._model.ngeom + 1, np.uint8)
        for index, thing in enumerate(scene.things if scene else ()):
            body = self._model.body(f"object{index}" if thing.movable else thing.shape)
            first = int(body.geomadr[0])
            number[first : first + int(body.geomnum[0])] = index + 1
        geoms = np.where(segments[..., 1] == mujoco.mjtObj.mjOBJ_GEOM, segments[..., 0], -1)
        return number[geoms]

    def matrix(self, camera: str) -> np.ndarray:
        """Return K of a camera's calibration. Shape (3, 3), [px]."""
        of = self._robot.camera(camera)
        fovy = np.deg2rad(self._model.camera(self._camera_id(camera)).fovy[0])
        focal = of.height / 2 / float(np.tan(fovy / 2))
        # The middle of the first pixel is 0, as OpenCV has it.
        return np.array(
            [[focal, 0, (of.width - 1) / 2], [0, focal, (of.height - 1) / 2], [0, 0, 1]]
        )

    def close(self) -> None:
        """Free what the images were drawn with."""
        self._finalizer()

    def _size(self, camera: str) -> tuple[int, int]:
        """Return height and width of a camera's images [px]."""
        return self._robot.camera(camera).height, self._robot.camera(camera).width

    def _renderer(self, kind: str, size: tuple[int, int]) -> mujoco.Renderer:
        """Make what draws images of a kind."""
        self._renderers[kind] = mujoco.Renderer(self._model, *size)
        # At exit too, before MuJoCo's own exit hook ends EGL: the last registered runs first.
        atexit.register(self._finalizer)
        return self._renderers[kind]

    def _camera_id(self, camera: str) -> str:
        """Return the model's camera that a camera of the contract is: that of its frame."""
        frame = self._robot.camera(camera).frame
        return next((c.name for c in self._robot.colour_cameras if c.frame == frame), camera)


def _close_all(renderers: dict[str, mujoco.Renderer]) -> None:
    for renderer in renderers.values():
        renderer.close()
    renderers.clear()
