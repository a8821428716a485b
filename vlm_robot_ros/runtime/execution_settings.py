"""How action chunks are executed."""

from dataclasses import dataclass, replace

BLEND_S = 0.15
"""Time to pass from one chunk to the next [s]: a shorter time jerks, a longer one lags."""
JOINED_STEPS = 1
"""Steps that merge a new chunk with the last one; see `ChunkInterpolator`."""
MIN_CONFIDENCE = 0.5


@dataclass(frozen=True)
class ExecutionSettings:
    """How action chunks are executed."""

    blend: float = BLEND_S
    """Time to pass from one chunk to the next [s]."""
    min_confidence: float = MIN_CONFIDENCE
    """The arm holds for a chunk of less confidence: 0..1."""
    ensemble: float = 0.0
    """Temporal ensembling: weight of a chunk relative to the next newer one; 0: newest only."""
    joined_steps: int = JOINED_STEPS
    """Real-time chunking: steps that merge a new chunk with the last one."""
    instruction_timeout: float = 0.0
    """The arm holds for an older instruction [s]; 0: instructions never expire."""

    def of_policy(self, policy: object) -> "ExecutionSettings":
        """Return these settings with those that a policy asks for itself."""
        joined = int(getattr(policy, "joined_steps", -1))
        return self if joined < 0 else replace(self, joined_steps=joined)
