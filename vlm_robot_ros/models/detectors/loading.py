"""Which detector a name means."""

import importlib

import transformers

from vlm_robot_ros.interfaces.detector import Detector, DetectorError
from vlm_robot_ros.models.detectors.clipseg_detector import THRESHOLD, ClipSegDetector
from vlm_robot_ros.models.detectors.hf_detector import BOX_DETECTORS, THRESHOLDS, HfDetector
from vlm_robot_ros.models.detectors.pretrained import load_pretrained

DETECTORS = (*BOX_DETECTORS, "clipseg")
"""Model types, as config.json has them."""


def load_detector(name: str, device: str = "cpu", threshold: float | None = None) -> Detector:
    """Load a detector.

    Args:
        name: `hf:/folder` or `hf:ORG/NAME`, such as `hf:google/owlv2-base-patch16-ensemble`; or
            `module:Class`, which is called with the device.
        device: Where to compute.
        threshold: Score from which something is there; the model's usual one if not given.

    Raises:
        DetectorError: it is of another kind, or a file is missing or corrupt; says which.
    """
    library, _, given = name.partition(":")
    if not library or not given:
        raise DetectorError(
            f"{name!r} names no detector; valid: hf:ORG/NAME, as in "
            "hf:google/owlv2-base-patch16-ensemble, hf:/folder, or module:Class"
        )
    if library != "hf":
        return _from_class(name, device)
    kind = load_pretrained(given, transformers.AutoConfig.from_pretrained).model_type
    if kind not in DETECTORS:
        raise DetectorError(f"{name} is of type {kind!r}; valid: {', '.join(DETECTORS)}")
    kinds = {"clipseg": transformers.CLIPSegForImageSegmentation}
    load = kinds.get(kind, transformers.AutoModelForZeroShotObjectDetection).from_pretrained
    model = load_pretrained(given, load, use_safetensors=True)
    processor = load_pretrained(given, transformers.AutoProcessor.from_pretrained)
    if kind == "clipseg":
        least = THRESHOLD if threshold is None else threshold
        return ClipSegDetector(model, processor, least, device)
    least = THRESHOLDS[kind] if threshold is None else threshold
    return HfDetector(model, processor, least, device)


def _from_class(name: str, device: str) -> Detector:
    module, _, attribute = name.partition(":")
    try:
        made: Detector = getattr(importlib.import_module(module), attribute)(device)
    except Exception as error:  # anybody's code
        raise DetectorError(
            f"no detector of {name!r}: {error!r}; valid: hf:ORG/NAME, hf:/folder, or module:Class "
            "of an installed package or of a folder on PYTHONPATH, which is called with the device"
        ) from error
    if not hasattr(made, "detect"):
        raise DetectorError(f"{name!r} has no detect; see interfaces/detector.py")
    return made
