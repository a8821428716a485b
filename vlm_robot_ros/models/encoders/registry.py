"""Encoders by name: `open_clip:ViT-B-32/openai`, `hf:google/siglip-base-patch16-224`."""

import torch

from vlm_robot_ros import plugins
from vlm_robot_ros.device import parse_device
from vlm_robot_ros.models.encoders.base import Encoder, EncoderError
from vlm_robot_ros.paths import user_path


def load_encoder(name: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Encoder:
    """Load a pretrained encoder, ready to be used and not to be trained.

    Args:
        name: `open_clip:ARCH/TAG`, `open_clip:ARCH//path/to/weights`, `open_clip:/folder`,
            `open_clip:hf-hub:ORG/NAME`, `hf:ORG/NAME` or `hf:/folder`; or `NAME:OPTIONS` of an
            entry point of group `vlm_robot_ros.encoders`, which is called with OPTIONS.
        device: Where it shall compute: see `device.chosen_device`.
        dtype: Of its weights.

    Raises:
        EncoderError: there is no such encoder, or its files cannot be had.
    """
    try:
        device = parse_device(device)
    except ValueError as error:
        raise EncoderError(str(error)) from error
    library, _, rest = name.partition(":")
    if library == "open_clip" and rest:
        from vlm_robot_ros.models.encoders.open_clip_encoder import load_open_clip

        encoder: Encoder = load_open_clip(rest, dtype)
    elif library == "hf" and rest:
        from vlm_robot_ros.models.encoders.hf_encoder import load_hf

        given = str(user_path(rest)) if rest.startswith("~") else rest
        encoder = load_hf(given, dtype)
    elif library in plugins.plugin_names(plugins.ENCODERS):
        encoder = plugins.load_plugin(plugins.ENCODERS, library)(rest)
    else:
        registered = ", ".join(plugins.plugin_names(plugins.ENCODERS)) or "none is registered"
        raise EncoderError(
            f"{name!r} names no encoder; valid: open_clip:ARCH/TAG, as in "
            "open_clip:ViT-B-32/laion2b_s34b_b79k, or hf:ORG/NAME, as in "
            "hf:openai/clip-vit-base-patch32; or a folder or file in place of what is downloaded"
            f"; or an encoder of an installed package ({registered}), as in NAME:OPTIONS"
        )
    return encoder.to(device).eval().requires_grad_(False)
