"""Task labels of a pretrained encoder, from the policy node as a process over real DDS."""

import numpy as np
import pytest
import torch
from small_models import save_hf

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from rig import Rig
from sensor_msgs.msg import Image

from vlm_robot_ros.data.image_decoding import to_rgb
from vlm_robot_ros.models.encoders.registry import load_encoder
from vlm_robot_ros.models.zero_shot.classification import Scorer
from vlm_robot_ros.models.zero_shot.localization import PhraseLocalizer
from vlm_robot_ros.policies.zero_shot_labels import NO_LABEL
from vlm_robot_ros.viz.overlay import caption, overlay_heatmaps

PHRASES = ["robot moving box", "a photo of the red cube"]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2", "blip2", "paligemma"])
def test_a_policy_without_labels_gets_those_of_the_encoder(graph, tmp_path, kind):
    save_hf(tmp_path / kind, kind)
    name = f"hf:{tmp_path / kind}"
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    rig = Rig(graph, image)
    graph.start("policy_node", policy="hold", encoder=name, phrases="|".join(PHRASES))
    graph.until_up(lambda: rig.actions)
    rig.until_held("no instruction yet")
    overlays = graph.listen(Image, "overlay")
    rig.say("look")
    assert graph.until(lambda: rig.labels)
    shown, none = Scorer(load_encoder(name), PHRASES)(torch.from_numpy(image)[None])
    expected = {**dict(zip(PHRASES, shown[0].tolist(), strict=True)), NO_LABEL: float(none)}
    label = rig.labels[-1]
    assert label.label == max(expected, key=expected.get)
    told = dict(zip(label.top_labels, label.top_scores, strict=True))
    assert told == pytest.approx(expected, abs=1e-4)
    rig.until_held("hold policy")
    if kind not in ("blip2", "paligemma"):  # they have no patches in the space of phrases
        assert graph.until(lambda: rig.planned(overlays))  # others show the image alone
        (found,) = PhraseLocalizer(load_encoder(name), ["look"])(torch.from_numpy(image))
        drawn = overlay_heatmaps(image, [found.heat.numpy()]).astype(int)
        drawn = caption(drawn.astype(np.uint8), "", "", 0.0, "hold").astype(int)
        shown = to_rgb(rig.planned(overlays)[-1]).astype(int)
        inside = np.s_[8 : drawn.shape[0] - 80, 8:-8]  # within the frame, above the words
        assert shown.shape == drawn.shape
        assert np.abs(shown[inside] - drawn[inside]).max() <= 1


@pytest.mark.long
def test_a_policy_with_labels_of_its_own_needs_no_encoder(graph):
    process = graph.start("policy_node", encoder="open_clip:ViT-B-32/openai")
    assert "has labels of its own" in graph.ended(process)
    assert process.returncode != 0


@pytest.mark.long
def test_a_wrong_encoder_is_refused_when_the_node_is_configured(graph):
    process = graph.start("policy_node", policy="hold", encoder="open_clip:ViT-B32/openai")
    assert "nearest: ViT-B-32" in graph.ended(process)
    assert process.returncode != 0
