"""The bodies of objects and receptacles in the MuJoCo model, and laying them out for a scene."""

from pathlib import Path

import mujoco
import numpy as np

from vlm_robot_ros.tasks.objects import COLOURS, RECEPTACLES, SHAPES, Receptacle
from vlm_robot_ros.tasks.scene import MOST_OBJECTS, Scene

_MASS = 0.06
_TEXTURES = 8
_PARKING_ORIGIN = np.array([-1.0, 0.0, -0.6])
_WALLS = 12
_RECEPTACLE_RGBA = {
    "plate": (0.93, 0.93, 0.90, 1),
    "bowl": (0.45, 0.30, 0.20, 1),
    "bin": (0.16, 0.17, 0.18, 1),
}


def add_textures(spec: mujoco.MjSpec) -> None:
    """Add the materials `table1` to `table7`."""
    for number in range(1, _TEXTURES):
        rng = np.random.default_rng(number)
        texture = spec.add_texture(name=f"table{number}", type=mujoco.mjtTexture.mjTEXTURE_2D)
        texture.builtin = mujoco.mjtBuiltin.mjBUILTIN_CHECKER
        texture.width = texture.height = 128
        texture.rgb1 = rng.uniform(0.8, 1.0, 3)
        texture.rgb2 = rng.uniform(0.6, 0.9, 3)
        material = spec.add_material(name=f"table{number}", texuniform=True)
        material.texrepeat = [float(rng.uniform(2, 8)), float(rng.uniform(2, 8))]
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = f"table{number}"


def add_objects(spec: mujoco.MjSpec, meshes: Path) -> None:
    """Add `object0`..., each with a geom of every shape, and one body a kind of receptacle."""
    for name, shape in SHAPES.items():
        if shape.mesh:
            centre, half = _bounds(meshes / shape.mesh)
            mesh = spec.add_mesh(name=name, file=str(meshes / shape.mesh))
            mesh.scale = np.array(shape.half) / half
            mesh.refpos = centre * mesh.scale
    for slot in range(MOST_OBJECTS):
        body = spec.worldbody.add_body(name=f"object{slot}", pos=_parking_position(slot))
        body.add_freejoint(name=f"object{slot}")
        for name, shape in SHAPES.items():
            geom = body.add_geom(name=f"object{slot}_{name}", mass=_MASS / len(SHAPES))
            geom.condim = 4
            geom.friction = [1.2, 0.01, 0.0005]
            geom.solref[:2] = [0.01, 1.0]
            if shape.mesh:
                geom.type, geom.meshname = mujoco.mjtGeom.mjGEOM_MESH, name
                # A lemon may roll, but not for ever.
                geom.condim, geom.friction = 6, [1.2, 0.01, 0.002]
            else:
                cube = name == "cube"
                box, can = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
                geom.type = box if cube else can
                geom.size = [value * 1.1 for value in shape.half]  # bounds; a scene sets it
                if not cube:
                    geom.size[1] = shape.half[2] * 1.1
    for name, kind in RECEPTACLES.items():
        body = spec.worldbody.add_body(name=name, mocap=True, pos=_PARKING_ORIGIN)
        _add_receptacle(body, name, kind)


def place_objects(model: mujoco.MjModel, data: mujoco.MjData, scene: Scene) -> None:
    """Put a scene's things on the table, and all others out of sight."""
    for slot in range(MOST_OBJECTS):
        place = data.joint(f"object{slot}").qpos
        for name in SHAPES:
            geom = model.geom(f"object{slot}_{name}")
            geom.rgba[3], geom.contype[:], geom.conaffinity[:] = 0.0, 0, 0
        if slot >= len(scene.objects):
            place[:] = [*(_parking_position(slot)), 1, 0, 0, 0]
            model.body_gravcomp[model.body(f"object{slot}").id] = 1.0  # nothing falls for ever
            continue
        thing = scene.things[slot]
        geom, body = model.geom(f"object{slot}_{thing.shape}"), model.body(f"object{slot}")
        geom.rgba[:] = (*COLOURS[thing.colour], 1.0)
        geom.contype[:], geom.conaffinity[:] = 1, 1
        a, b, c = np.array(SHAPES[thing.shape].half) * thing.size
        if not SHAPES[thing.shape].mesh:
            geom.size[:] = [a, b, c] if thing.shape == "cube" else [a, c, 0.0]
        model.body_gravcomp[body.id] = 0.0
        body.inertia[:] = _MASS / 3 * np.array([b * b + c * c, a * a + c * c, a * a + b * b])
        spin = [np.cos(thing.yaw / 2), 0, 0, np.sin(thing.yaw / 2)]
        place[:] = [*thing.position, *spin]
    for name in RECEPTACLES:
        data.mocap_pos[model.body(name).mocapid[0]] = _PARKING_ORIGIN
    for index in scene.receptacles:
        thing = scene.things[index]
        data.mocap_pos[model.body(thing.shape).mocapid[0]] = [thing.x, thing.y, 0.0]
    look = scene.look
    table = model.geom("table")
    table.rgba[:3] = look.table
    table.matid[:] = model.material(f"table{look.texture}").id if look.texture else -1
    model.light("lamp").diffuse[:] = 0.5 * look.brightness
    model.vis.headlight.ambient[:] = 0.35 * look.brightness


def _parking_position(slot: int) -> np.ndarray:
    """Return where a slot waits out of sight. Shape (3,), [m]."""
    return _PARKING_ORIGIN + np.array([0.0, slot * 0.2, 0.0])


def _bounds(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return a mesh's middle and half extents. Shape (3,) each."""
    spec = mujoco.MjSpec()
    spec.add_mesh(name="mesh", file=str(file))
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="mesh")
    model = spec.compile()
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, model.mesh_quat[0])
    vertices = model.mesh_vert @ turn.reshape(3, 3).T + model.mesh_pos[0]
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return (low + high) / 2, (high - low) / 2


def _add_receptacle(body: mujoco.MjsBody, name: str, kind: Receptacle) -> None:
    rgba = _RECEPTACLE_RGBA[name]
    can, box = mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_BOX

    def add(suffix: str, **fields: object) -> None:
        geom = body.add_geom(name=f"{name}_{suffix}", rgba=rgba, **fields)
        geom.friction, geom.priority, geom.condim = [0.8, 0.01, 0.002], 1, 6

    base = kind.floor / 2
    square = name == "bin"
    floor = [kind.radius, kind.radius, base] if square else [kind.radius, base, 0]
    add("floor", type=box if square else can, size=floor, pos=[0, 0, base])
    if kind.height <= kind.floor:
        return
    walls = 4 if square else _WALLS
    half = (kind.height - kind.floor) / 2
    for number in range(walls):
        angle = 2 * np.pi * number / walls
        where = np.array([np.cos(angle), np.sin(angle), 0.0]) * kind.radius
        add(
            f"wall{number}",
            type=box,
            size=[0.004, kind.radius * np.tan(np.pi / walls) + 0.003, half],
            pos=[where[0], where[1], kind.floor + half],
            quat=[np.cos(angle / 2), 0, 0, np.sin(angle / 2)],
        )
