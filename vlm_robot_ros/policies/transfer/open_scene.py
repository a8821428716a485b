"""Sees whatever a sentence names, by an open-vocabulary detector and a depth camera."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vlm_robot_ros.image_resize import resize_image
from vlm_robot_ros.interfaces.detector import Detection, Detector, DetectorError, Segmenter
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.manipulation.geometry import ObjectGeometry
from vlm_robot_ros.manipulation.obstacles import obstacles
from vlm_robot_ros.manipulation.segment_geometry import (
    SegmentError,
    SegmentGeometry,
    segment_geometry,
    support_height,
)
from vlm_robot_ros.policies.sentence_parsing import SentenceParser
from vlm_robot_ros.policies.transfer.named_things import NamedThings
from vlm_robot_ros.policies.transfer.noun_phrases import noun_phrases, with_determiners
from vlm_robot_ros.policies.transfer.plain_requests import plain_request, without_courtesy
from vlm_robot_ros.policies.transfer.scene import SeenThing
from vlm_robot_ros.policies.transfer.scene_perception import PerceptionError, Sight
from vlm_robot_ros.policies.transfer.thing_steps import ReadSentence
from vlm_robot_ros.robot.config import Camera, RobotConfig
from vlm_robot_ros.viz.scene_boxes import draw_boxes

_SAME_BOX = 0.5
"""Overlap above which two boxes are of one thing (intersection over union)."""
_ABOVE_M = 0.006
"""How far above what it stands on the pixels of a thing are, where only its box is known [m]."""
_HIDES_M = 0.2
"""How near the tool is to what the hand may hide [m]."""
_REMEMBERED_S = 10.0
"""How long what the hand hides is remembered [s]."""
_TOP_M = 0.45
"""How high things reach, at most, above the ground [m]."""
_BESIDE_M = 0.03
"""Room between a thing and what is put beside it [m]."""


class OpenScene:
    """What a detector of phrases sees through a colour camera, and a depth camera measures."""

    def __init__(
        self,
        detector: Detector,
        robot: RobotConfig,
        parser: SentenceParser,
        segmenter: Segmenter | None = None,
    ) -> None:
        """Take what it needs.

        Args:
            detector: Finds phrases in colour images.
            robot: Its contract has a depth camera that is registered to a colour camera, and its
                workspace begins at the ground.
            parser: Of sentences.
            segmenter: Tells which pixels in a box are of the thing; without one, and without
                masks of the detector, it is what rises from the ground there.

        Raises:
            ValueError: the robot has no such camera.
        """
        self._detector, self._segmenter, self._parser = detector, segmenter, parser
        self._colour, self._depth = _cameras(robot)
        self._ground = robot.workspace.min[2]
        self._pose = robot.camera(self._depth).pose
        self.reset()

    @property
    def cameras(self) -> tuple[str, ...]:
        """The colour camera, and the depth camera in its frame."""
        return (self._colour, self._depth)

    def reset(self) -> None:
        """Forget what was seen."""
        self._before: dict[str, tuple[float, list[SeenThing]]] = {}
        """What was seen of each noun, and when [s]."""
        self._shown: tuple[np.ndarray, list[tuple[np.ndarray, str]]] | None = None
        """The image that was looked at last, and what was found where."""

    def read(self, text: str, observation: Observation) -> ReadSentence:
        """Return what a sentence says; its nouns are the phrases that it names things with."""
        text = with_determiners(text)
        said = plain_request(without_courtesy(text))
        phrases = {said[start:end].lower(): () for start, end in noun_phrases(said)}
        if not phrases:
            return ReadSentence((), f"'{text}' names nothing that I could look for", 0.0)
        return NamedThings(phrases, self._parser, open_phrases=False, proposes=False).read(text)

    def look(self, observation: Observation, nouns: Sequence[str]) -> Sight:
        """Return where the phrases `nouns` are seen, and what else stands about.

        Raises:
            PerceptionError: the detector has failed; says why.
        """
        image, points = (observation.images[name] for name in self.cameras)
        tool = observation.pose[:3]
        pose = observation.camera_poses.get(self._depth, self._pose)
        eye = np.array(pose[:3]) if pose else None
        try:
            found = self._masks(image, points, self._detector.detect(image, list(nouns)))
        except DetectorError as error:
            raise PerceptionError(str(error)) from error
        seen, problems = list[SeenThing](), dict[str, str]()
        known, boxes = np.zeros(points.shape[:2], bool), list[tuple[np.ndarray, str]]()
        for detection, mask in found:
            try:
                middle = np.nanmedian(points[mask][:, :2], axis=0)
                support = support_height(points[~mask], middle)
                shape = segment_geometry(mask, points, support, eye)
            except SegmentError as error:
                problems.setdefault(detection.phrase, str(error))
                boxes.append((detection.box, f"{detection.phrase}: shape not known"))
                continue
            if shape.cut_off:
                problems.setdefault(detection.phrase, "the image ends in the middle of it")
                continue
            known |= mask
            seen.append(_seen(detection, shape, int(mask.sum())))
            boxes.append((detection.box, seen[-1].words))
        self._shown = (image, boxes)
        for noun in nouns:
            of_noun = [thing for thing in seen if thing.noun == noun]
            time, before = self._before.get(noun, (-np.inf, []))
            is_hidden = observation.time - time < _REMEMBERED_S and any(
                np.linalg.norm(tool - each.point) < _HIDES_M for each in before
            )
            if not of_noun and is_hidden:
                # Where it was: no new sight of it.
                seen += [replace(each, cells=0.0) for each in before]
                problems.pop(noun, None)
            else:
                self._before[noun] = observation.time, of_noun
        around = obstacles(points, known, self._ground, self._ground + _TOP_M, tool)
        things = seen + [SeenThing("", box, 1.0, box.base, 0.0) for box in around]
        return Sight(things, observation.time, tool, problems)

    def draw(self) -> np.ndarray | None:
        """Return the image that was looked at last with what was found in it; None before."""
        return None if self._shown is None else draw_boxes(*self._shown)

    def place_beside(
        self, thing: SeenThing, target: ObjectGeometry, way: np.ndarray
    ) -> np.ndarray:
        """Return where the base of a target comes to be that is put beside a thing. Shape (3,)."""
        reach = (np.linalg.norm(thing.geometry.size[:2]) + np.linalg.norm(target.size[:2])) / 2
        place = thing.geometry.base[:2] + way * (reach + _BESIDE_M)
        return np.array([*place, self._ground])

    def _masks(
        self, image: np.ndarray, points: np.ndarray, detections: Sequence[Detection]
    ) -> list[tuple[Detection, np.ndarray]]:
        """Return detections, one for each thing, with masks of the size of the depth image."""
        kept = distinct(detections)
        if self._segmenter is not None and any(each.mask is None for each in kept):
            boxes = np.stack([each.box for each in kept])
            masks = self._segmenter.masks(image, boxes)
            kept = [each._replace(mask=mask) for each, mask in zip(kept, masks, strict=True)]
        height, width = points.shape[:2]
        found = []
        for each in kept:
            if each.mask is None:
                scale = np.array([width, height] * 2) / np.array([image.shape[1::-1]] * 2).ravel()
                mask = _rising(points, each.box * scale, self._ground)
            else:
                mask = resize_image(each.mask.astype(np.uint8), width, height, "squash") > 0
            found.append((each, mask))
        return found


def distinct(detections: Sequence[Detection]) -> list[Detection]:
    """Return detections without those of one phrase that overlap a likelier one."""
    kept: list[Detection] = []
    for each in sorted(detections, key=lambda one: -one.score):
        same = [other for other in kept if other.phrase == each.phrase]
        if all(_overlap(each.box, other.box) < _SAME_BOX for other in same):
            kept.append(each)
    return kept


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    shared = float(sides.clip(0).prod())
    areas = [float((box[2:] - box[:2]).prod()) for box in (first, second)]
    return shared / max(sum(areas) - shared, 1e-9)


def _rising(points: np.ndarray, box: np.ndarray, ground: float) -> np.ndarray:
    """Return which pixels in a box show something that rises from the ground. Shape (H, W)."""
    left, top = np.floor(box[:2]).clip(0).astype(int)
    right, bottom = np.ceil(box[2:]).astype(int)
    mask = np.zeros(points.shape[:2], bool)
    mask[top:bottom, left:right] = points[top:bottom, left:right, 2] > ground + _ABOVE_M
    return mask


def _seen(detection: Detection, shape: SegmentGeometry, pixels: int) -> SeenThing:
    return SeenThing(detection.phrase, shape.box, detection.score, shape.box.base, float(pixels))


def _cameras(robot: RobotConfig) -> tuple[str, str]:
    """Return the names of a colour camera and of the depth camera in its frame."""
    for depth in robot.cameras:
        for colour in robot.colour_cameras:
            if depth.depth and _fits(colour, depth):
                return colour.name, depth.name
    known = ", ".join(each.name for each in robot.cameras) or "none"
    raise ValueError(
        f"robot '{robot.name}' has cameras {known}; valid: a colour camera, and a depth camera "
        "in the same frame, both without a crop"
    )


def _fits(colour: Camera, depth: Camera) -> bool:
    return colour.frame == depth.frame and not colour.crop and not depth.crop
