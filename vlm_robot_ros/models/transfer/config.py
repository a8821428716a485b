"""What defines a model of transfers."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ThingConfig:
    """One kind of thing that the model tells apart."""

    noun: str
    names: tuple[str, ...]
    """What people call it, besides its noun."""
    size: tuple[float, float, float]
    """Along its own x and y, and its height [m]."""
    movable: bool
    hollow: bool
    """Whether it is open above, so that its rim can be gripped."""
    spot: tuple[float, ...]
    """From its base to where a thing comes to rest on it, or in it [m]; empty: on its top."""
    fixture: bool
    """Whether the model sees this spot of it, not its base."""
    front: tuple[float, ...] = ()
    """From that spot to what is called its front, where it has one of its own: x, y [m]."""

    def __post_init__(self) -> None:
        """Take lists, as JSON has them."""
        for name in ("names", "size", "spot", "front"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


@dataclass(frozen=True)
class TransferModelConfig:
    """What defines the model; saved with every checkpoint."""

    things: tuple[ThingConfig, ...]
    camera: str = "front"
    """Name of the camera that it looks through."""
    image: int = 256
    """Side of the square that the camera's image is brought to [px]."""
    field_of_view_deg: float = 45.0
    """Of the camera, from top to bottom [deg]."""
    width: int = 64
    hidden: int = 256
    horizon: int = 4

    def __post_init__(self) -> None:
        """Take maps, as JSON has them."""
        things = [ThingConfig(**each) if isinstance(each, dict) else each for each in self.things]
        object.__setattr__(self, "things", tuple(things))
        if not things or not all(len(each.size) == 3 for each in things):
            raise ValueError("things: valid: at least one, each with a size of three numbers")
        if self.image % 8 or not 64 <= self.image <= 1024:
            raise ValueError(f"image is {self.image} px; valid: a multiple of 8 from 64 to 1024")
        if not 0 < self.field_of_view_deg < 180:
            raise ValueError(f"field_of_view_deg is {self.field_of_view_deg}; valid: 0 to 180")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain types, for JSON."""
        return asdict(self)

    @property
    def nouns(self) -> tuple[str, ...]:
        """Of the things, in their order."""
        return tuple(thing.noun for thing in self.things)
