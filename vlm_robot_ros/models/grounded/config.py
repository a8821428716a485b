"""What defines the grounded model."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class GroundedModelConfig:
    """What defines the model; saved with every checkpoint."""

    vocabulary: tuple[str, ...]
    skills: tuple[str, ...]
    colours: tuple[str, ...]
    """What a sentence can say of a colour: any, and then the colours."""
    nouns: tuple[str, ...]
    """What a sentence can say of a shape: none, object (any), movable shapes, receptacles."""
    movable: int
    """How many of the nouns from the third on name movable objects."""
    labels: tuple[str, ...]
    """Task labels."""
    label_parts: tuple[tuple[int, int, int], ...]
    """Of each label its skill, its target's noun and its reference's noun; -1 for any."""
    goal_of_start: tuple[tuple[float, ...], ...]
    goal_of_reference: tuple[tuple[float, ...], ...]
    goal_offset: tuple[tuple[float, ...], ...]
    """Where each skill leads: see `VisionLanguageRobotModel.goal`. Shape (K, 3) each."""
    homography: tuple[tuple[float, ...], ...]
    """From a pixel (column, row, 1) of the image to where its line of sight meets the table:
    (x w, y w, w), base frame [m]. Shape (3, 3)."""
    eye: tuple[float, ...]
    """Where the camera is. Shape (3,), base frame [m]."""
    camera: str = "front"
    """Name of the camera that it looks through."""
    image: tuple[int, int] = (256, 256)
    """Height and width that the camera's image is brought to [px]."""
    crop: tuple[int, int, int, int] = (36, 16, 176, 240)
    """The part of it that is looked at: top, left, height, width [px]."""
    readers: int = 3
    """Of the words."""
    fusion: str = "slots"
    """How words and images meet: one of `fusion.FUSIONS`."""
    encoder: str = ""
    """Name of a pretrained encoder (see `encoders.load`) that sees, not the compact tower."""
    depth: str = ""
    """Name of the depth camera registered to `camera`, whose distances are used, if they are."""
    history: int = 0
    """How many images of before are looked at, too."""
    history_dt: float = 0.2
    """From one of these to the next [s]."""
    close_up: int = 0
    """Side of what is looked at again around where the words lead, in the camera's own resolution
    [px of the image]; 0 for no second look."""
    width: int = 64
    text_width: int = 96
    hidden: int = 256
    horizon: int = 8
    step_dt: float = 0.1

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the tokens."""
        return self.crop[2] // 4, self.crop[3] // 4

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain types, for JSON."""
        return asdict(self)
