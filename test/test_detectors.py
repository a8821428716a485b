"""Detectors of transformers: what they find is what transformers' own pipelines find."""

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from small_detectors import save_clipseg, save_dino, save_owl, save_sam2

from vlm_robot_ros.interfaces.detector import DetectorError
from vlm_robot_ros.models.detectors.hf_detector import HfSegmenter
from vlm_robot_ros.models.detectors.loading import load_detector

PHRASES = ["the red cube", "a blue box", "robot"]
SHAPES = [(48, 80, 3), (90, 60, 3)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("detectors")
    for kind in ("owlvit", "owlv2"):
        save_owl(root / kind, kind)
    for kind in ("grounding-dino", "mm-grounding-dino"):
        save_dino(root / kind, kind)
    save_sam2(root / "sam2")
    save_clipseg(root / "clipseg")
    return root


def picture(shape):
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["owlvit", "owlv2"])
def test_owl_finds_what_the_pipeline_of_transformers_finds(folders, kind, shape):
    image = picture(shape)
    detector = load_detector(f"hf:{folders / kind}", threshold=0.0)
    pipe = transformers.pipeline("zero-shot-object-detection", model=str(folders / kind))
    theirs = pipe(Image.fromarray(image), candidate_labels=PHRASES, threshold=0.0)
    ours = detector.detect(image, PHRASES)
    assert len(ours) == len(theirs) > 10
    found = {each.phrase: [] for each in ours}
    for each in ours:
        found[each.phrase].append((each.score, *np.trunc(each.box)))
    for phrase in PHRASES:
        expected = [(each["score"], *each["box"].values()) for each in theirs
                    if each["label"] == phrase]  # fmt: skip
        np.testing.assert_allclose(sorted(found[phrase]), sorted(expected), atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["grounding-dino", "mm-grounding-dino"])
def test_grounding_dino_finds_what_its_own_post_processing_finds(folders, kind, shape):
    image = picture(shape)
    detector = load_detector(f"hf:{folders / kind}", threshold=0.0)
    folder = folders / kind
    model = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder)
    for phrase in PHRASES:
        given = processor(images=image, text=[[phrase]], return_tensors="pt")
        with torch.inference_mode():
            out = model(**given)
        theirs = processor.post_process_grounded_object_detection(
            out, given["input_ids"], threshold=0.0, target_sizes=[shape[:2]]
        )[0]
        ours = detector.detect(image, [phrase])
        order = theirs["scores"].argsort(descending=True)
        assert len(ours) == len(order) > 5
        np.testing.assert_allclose([each.score for each in ours], theirs["scores"][order],
                                   atol=1e-4)  # fmt: skip
        np.testing.assert_allclose(np.stack([each.box for each in ours]), theirs["boxes"][order],
                                   atol=1e-3)  # fmt: skip


@pytest.mark.parametrize("phrases", [PHRASES, PHRASES[:1]])
def test_heat_maps_are_those_of_clipseg_and_each_patch_of_one_is_a_detection(folders, phrases):
    image, folder = picture(SHAPES[0]), folders / "clipseg"
    model = transformers.CLIPSegForImageSegmentation.from_pretrained(folder).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder)
    given = processor(
        text=phrases, images=[image] * len(phrases), padding=True, return_tensors="pt"
    )
    with torch.inference_mode():
        logits = model(**given).logits.view(len(phrases), 1, 64, 64)
    theirs = torch.nn.functional.interpolate(logits, image.shape[:2], mode="bilinear").sigmoid()
    detector = load_detector(f"hf:{folder}", threshold=float(theirs.quantile(0.8)))
    ours = detector.heatmaps(image, phrases)
    np.testing.assert_allclose(ours, theirs[:, 0], atol=1e-5)
    found = detector.detect(image, phrases)
    assert found
    for each in found:
        heat = ours[phrases.index(each.phrase)]
        assert each.score == pytest.approx(heat[each.mask].max())
        assert heat[each.mask].min() >= detector.threshold
        left, top, right, bottom = each.box.astype(int)
        assert each.mask[top:bottom, left:right].sum() == each.mask.sum()


class Mine:
    """A detector of a user's."""

    def __init__(self, device):
        self.device = device

    def detect(self, image, phrases):
        return []


def test_a_detector_may_be_a_class_of_ones_own():
    assert load_detector(f"{__name__}:Mine", "cpu").device == "cpu"
    for name, problem in (("nowhere:Mine", "No module named 'nowhere'"),
                          (f"{__name__}:picture", "no detector of"),
                          (f"{__name__}:str", "no attribute")):  # fmt: skip
        with pytest.raises(DetectorError, match=problem):
            load_detector(name)


def test_masks_are_those_of_sam2(folders):
    image, boxes = picture(SHAPES[0]), np.array([[5, 5, 40, 30], [20, 10, 70, 44.0]])
    folder = folders / "sam2"
    model = transformers.Sam2Model.from_pretrained(folder).eval()
    processor = transformers.Sam2Processor.from_pretrained(folder)
    given = processor(images=image, input_boxes=[boxes.tolist()], return_tensors="pt")
    with torch.inference_mode():
        out = model(**given, multimask_output=False)
    theirs = processor.post_process_masks(out.pred_masks, given["original_sizes"])[0]
    ours = HfSegmenter(f"hf:{folder}").masks(image, boxes)
    assert ours.shape == (2, *SHAPES[0][:2])
    assert ours.dtype == bool
    np.testing.assert_array_equal(ours, theirs[:, 0].numpy())
    assert HfSegmenter(f"hf:{folder}").masks(image, np.zeros((0, 4))).shape == (0, 48, 80)


def test_what_is_below_the_threshold_is_not_there(folders):
    image = picture(SHAPES[0])
    every = load_detector(f"hf:{folders / 'owlv2'}", threshold=0.0).detect(image, PHRASES)
    middle = float(np.median([each.score for each in every]))
    some = load_detector(f"hf:{folders / 'owlv2'}", threshold=middle).detect(image, PHRASES)
    assert 0 < len(some) < len(every)
    assert all(each.score > middle for each in some)
    assert load_detector(f"hf:{folders / 'owlv2'}", threshold=1.0).detect(image, PHRASES) == []


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["owlv2", "grounding-dino", "sam2"])
def test_a_missing_file_is_named_with_where_to_put_it(folders, tmp_path, kind, missing):
    folder = tmp_path / kind
    folder.mkdir()
    for file in (folders / kind).iterdir():
        if file.name != missing:
            (folder / file.name).write_bytes(file.read_bytes())
    with pytest.raises(DetectorError) as told:
        HfSegmenter(f"hf:{folder}") if kind == "sam2" else load_detector(f"hf:{folder}")
    assert missing in str(told.value)
    assert str(folder) in str(told.value)


def test_weights_that_are_cut_off_are_an_error(folders, tmp_path):
    folder = tmp_path / "owlv2"
    folder.mkdir()
    for file in (folders / "owlv2").iterdir():
        content = file.read_bytes()
        (folder / file.name).write_bytes(content[: len(content) // 2] if file.suffix ==
                                         ".safetensors" else content)  # fmt: skip
    with pytest.raises(DetectorError, match="owlv2"):
        load_detector(f"hf:{folder}")


@pytest.mark.parametrize("name", ["", "owlv2", "hf:", "hf:no/such-model-anywhere"])
def test_a_name_of_no_detector_is_an_error(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DetectorError):
        load_detector(name)


def test_a_model_of_another_kind_is_refused(folders):
    with pytest.raises(DetectorError, match=r"'sam2'.*valid: owlvit"):
        load_detector(f"hf:{folders / 'sam2'}")
    with pytest.raises(DetectorError, match=r"'owlv2'.*valid: sam2"):
        HfSegmenter(f"hf:{folders / 'owlv2'}")


@pytest.mark.parametrize("phrases", [[], ["cube", " "]])
def test_no_phrase_is_an_error(folders, phrases):
    with pytest.raises(ValueError, match="phrases"):
        load_detector(f"hf:{folders / 'owlv2'}").detect(picture(SHAPES[0]), phrases)
