"""The MuJoCo model of the simulated arm at a table with movable objects, and its cameras."""

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.data.sim_episode import IMAGE
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sim.arms import arm_with_gripper, asset_dir
from vlm_robot_ros.sim.object_bodies import add_objects, add_textures
from vlm_robot_ros.tasks.scene import VisualConditions

TIMESTEP = 0.002
"""Physics step [s]."""
TABLE_HALF = (0.36, 0.5)
TABLE_X = 0.52
"""Middle and half extents [m] of the table top, which is the plane z = 0 of the base frame."""
FRONT_POSITION, FRONT_TARGET = (1.12, 0.6, 0.52), (0.49, 0.0, 0.04)
FRONT_FOV_DEG = 45.0
"""Where the front camera stands and looks, base frame [m], and its field of view [deg].

Low and from a side, from where the hand hides no object that it works on."""


def build_world(robot: RobotConfig) -> mujoco.MjModel:
    """Return the compiled model: arm, gripper, table, free object slots and cameras."""
    spec = arm_with_gripper(robot)
    wrist = spec.body("right_hand")
    _add_camera(wrist, "wrist", (0.07, 0.0, 0.0), (0.0, 0.0, 0.14), up=(1, 0, 0), fovy=75)
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    # Shadows cost 10 ms a frame on a CPU and antialiasing 4; who wants it smooth draws it larger.
    spec.visual.quality.shadowsize = 0
    spec.visual.quality.offsamples = 0
    # At least what `Simulator.render_things` draws.
    spec.visual.global_.offwidth = max(IMAGE, *(camera.width for camera in robot.cameras))
    spec.visual.global_.offheight = max(IMAGE, *(camera.height for camera in robot.cameras))
    spec.visual.headlight.ambient = (0.35, 0.35, 0.35)
    spec.visual.headlight.diffuse = (0.35, 0.35, 0.35)
    spec.visual.headlight.specular = (0.0, 0.0, 0.0)
    _add_table_and_lights(spec)
    return spec.compile()


def _add_camera(
    body: mujoco.MjsBody,
    name: str,
    position: tuple[float, float, float],
    target: tuple[float, float, float],
    up: tuple[float, float, float],
    fovy: float,
) -> None:
    """Add a camera that looks from `position` at `target`, both in the body's frame [m]."""
    turn = Rotation.from_matrix(_look_at(position, target, up))
    body.add_camera(name=name, pos=position, quat=np.roll(turn.as_quat(), 1), fovy=fovy)


def _look_at(
    position: tuple[float, float, float],
    target: tuple[float, float, float],
    up: tuple[float, float, float],
) -> np.ndarray:
    """Return a camera's axes (right, up, back) as columns. Shape (3, 3)."""
    back = np.subtract(position, target)
    back = back / np.linalg.norm(back)
    right = np.cross(up, back)
    right /= np.linalg.norm(right)
    return np.column_stack([right, np.cross(back, right), back])


def place_front_camera(model: mujoco.MjModel, look: VisualConditions) -> None:
    """Move the front camera as the scene's look says."""
    camera = model.camera("front")
    turn = Rotation.from_matrix(_look_at(FRONT_POSITION, FRONT_TARGET, (0.0, 0.0, 1.0)))
    turn = turn * Rotation.from_rotvec(look.camera_turn)
    camera.pos[:] = np.add(FRONT_POSITION, look.camera_shift)
    camera.quat[:] = np.roll(turn.as_quat(), 1)


def front_homography(size: int, height: float = 0.02) -> np.ndarray:
    """Return where lines of sight of the front camera meet the plane `height` above the table.

    Args:
        size: Of the square image [px].
        height: [m]

    Returns:
        From (column, row, 1) to (x w, y w, w), base frame [m]. Shape (3, 3).
    """
    axes = _look_at(FRONT_POSITION, FRONT_TARGET, (0.0, 0.0, 1.0))
    scale = np.tan(np.deg2rad(FRONT_FOV_DEG / 2)) * 2 / size
    middle = (size - 1) / 2
    sight = axes @ np.array(
        [[scale, 0, -scale * middle], [0, -scale, scale * middle], [0, 0, -1.0]]
    )
    # A point of the line is position + t sight; t follows from the height.
    down = height - FRONT_POSITION[2]
    return np.stack(
        [FRONT_POSITION[0] * sight[2] + down * sight[0],
         FRONT_POSITION[1] * sight[2] + down * sight[1], sight[2]]
    )  # fmt: skip


def _add_table_and_lights(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    box, plane = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_PLANE
    world.add_geom(name="floor", type=plane, size=[3, 3, 0.1], pos=[0, 0, -0.75])
    spec.geom("floor").rgba = (0.42, 0.44, 0.48, 1)
    world.add_geom(
        name="table",
        type=box,
        size=[*TABLE_HALF, 0.02],
        pos=[TABLE_X, 0, -0.02],
        rgba=[0.72, 0.70, 0.66, 1],
        # Less than that of things between fingers: what is pushed slides and does not tip.
        friction=[0.5, 0.005, 0.0001],
        priority=1,
        condim=6,
    )
    world.add_light(
        name="lamp", pos=[0.9, 0.5, 1.6], dir=[-0.25, -0.3, -1], diffuse=[0.5, 0.5, 0.5]
    )
    spec.light("lamp").castshadow = False
    _add_camera(world, "front", FRONT_POSITION, FRONT_TARGET, up=(0, 0, 1), fovy=FRONT_FOV_DEG)
    add_textures(spec)
    add_objects(spec, asset_dir() / "objects" / "meshes")
