"""Runs in LIBERO's interpreter, beside `env_server`: what only a simulator knows of a scene."""

from typing import Any

import numpy as np

_FRONT = "agentview"
_GEOM = 5
"""MuJoCo's number of geoms among what can be seen."""


def scene(env: Any) -> dict[str, Any]:
    """Return what only a simulator knows: where things and regions are, and the camera.

    Returns:
        Names of things, and the boxes around what is visible of them, shape (N, 2, 3) [m];
        names of regions and where these are, shape (R, 3) [m].
    """
    inner = env.env
    things = {**inner.objects_dict, **inner.fixtures_dict}
    boxes = [_box(env, inner.obj_body_id[name]) for name in things]
    regions = list(inner.object_sites_dict)
    places = [np.array(inner.sim.data.get_site_xpos(name)) for name in regions]
    return {"names": list(things), "boxes": np.array(boxes), "regions": regions,
            "places": np.array(places)}  # fmt: skip


def segments(env: Any, size: int) -> dict[str, Any]:
    """Return the body that each pixel of the front camera shows, upright; 0 is the world.

    Returns:
        Numbers of bodies, shape (size, size), and the bodies' names.
    """
    sim = env.env.sim
    seen = sim.render(width=size, height=size, camera_name=_FRONT, segmentation=True)[::-1]
    geoms = seen[..., 1]
    bodies = np.where(seen[..., 0] == _GEOM, np.asarray(sim.model.geom_bodyid)[geoms], 0)
    names = [sim.model.body_id2name(number) or "" for number in range(sim.model.nbody)]
    return {"bodies": bodies.astype(np.uint8), "names": names}


def place_camera(env: Any, place: list[float], turn: list[float]) -> dict[str, Any]:
    """Put the front camera somewhere [m], turned by a quaternion (w first), until a reset."""
    sim = env.env.sim
    number = sim.model.camera_name2id(_FRONT)
    sim.model.cam_pos[number], sim.model.cam_quat[number] = place, turn
    sim.forward()
    return {}


def distances(env: Any, size: int) -> dict[str, Any]:
    """Return how far along the optical axis what the front camera sees is, upright.

    Returns:
        Shape (size, size), float32 [m].
    """
    sim = env.env.sim
    _, depth = sim.render(width=size, height=size, camera_name=_FRONT, depth=True)
    near, far = (sim.model.stat.extent * end
                 for end in (sim.model.vis.map.znear, sim.model.vis.map.zfar))  # fmt: skip
    found = near / (1.0 - depth[::-1] * (1.0 - near / far))
    return {"distances": np.ascontiguousarray(found, np.float32)}


def _box(env: Any, body: int) -> np.ndarray:
    """Return the corners of the box around the visible parts of a body, without its drawers.

    Shape (2, 3), [m].
    """
    model, data = env.env.sim.model, env.env.sim.data
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for geom in np.flatnonzero(np.asarray(model.geom_group) == 0):
        parent = model.geom_bodyid[geom]
        while parent not in (0, body) and not model.body_jntnum[parent]:
            parent = model.body_parentid[parent]
        if parent != body:
            continue
        middle, half = model._model.geom_aabb[geom].reshape(2, 3)
        turn = data.geom_xmat[geom].reshape(3, 3)
        middle, half = data.geom_xpos[geom] + turn @ middle, np.abs(turn) @ half
        low, high = np.minimum(low, middle - half), np.maximum(high, middle + half)
    return np.array([low, high])


CALLS = {"scene": scene, "segments": segments, "place_camera": place_camera,
         "distances": distances}  # fmt: skip
"""Requests that `env_server` answers by these, for the environment at hand."""
