"""Detectors of a few thousand weights, saved as the hubs save them."""

import torch
import transformers
from small_models import WORDS, word_tokenizer

SIZE, PATCH = 64, 16


def _towers(folder):
    """Save a tokenizer; returns what the towers for text and images are made of."""
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
             "num_attention_heads": 2}  # fmt: skip
    ends = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    text = {**tower, **ends, "vocab_size": word_tokenizer(folder), "max_position_embeddings": 16}
    vision = {**tower, "image_size": SIZE, "patch_size": PATCH}
    return text, vision


def save_owl(folder, kind):
    """Save an OWL-ViT or OWLv2."""
    folder.mkdir()
    text, vision = _towers(folder)
    name = {"owlvit": "OwlViT", "owlv2": "Owlv2"}[kind]
    config = getattr(transformers, f"{name}Config")(
        text_config=text, vision_config=vision, projection_dim=32
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}ForObjectDetection")(config)
    model.class_head.logit_scale.bias.data.fill_(4.0)  # scores that differ
    model.save_pretrained(folder)
    images = getattr(transformers, f"{name}ImageProcessor")(size={"height": SIZE, "width": SIZE})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, model_max_length=16)
    getattr(transformers, f"{name}Processor")(images, tokenizer).save_pretrained(folder)


def save_dino(folder, kind="grounding-dino"):
    """Save a Grounding DINO or an MM Grounding DINO."""
    folder.mkdir()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(names) + "\n")
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"))
    backbone = transformers.SwinConfig(
        image_size=SIZE, patch_size=4, embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2],
        window_size=2, out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    text = transformers.BertConfig(
        vocab_size=len(names), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32,
    )  # fmt: skip
    name = {"grounding-dino": "GroundingDino", "mm-grounding-dino": "MMGroundingDino"}[kind]
    config = getattr(transformers, f"{name}Config")(
        backbone_config=backbone, text_config=text, d_model=32, encoder_layers=1,
        decoder_layers=2, encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=2,
        decoder_attention_heads=2, num_queries=12, num_feature_levels=4, max_text_len=32,
    )  # fmt: skip
    torch.manual_seed(0)
    getattr(transformers, f"{name}ForObjectDetection")(config).save_pretrained(folder)
    images = transformers.GroundingDinoImageProcessor(
        size={"shortest_edge": SIZE, "longest_edge": 2 * SIZE}
    )
    transformers.GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)


def save_sam2(folder):
    """Save a SAM 2."""
    folder.mkdir()
    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 16, "num_attention_heads": 1,
        "image_size": [SIZE, SIZE], "blocks_per_stage": [1, 1, 1, 1],
        "embed_dim_per_stage": [16, 32, 64, 128], "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_size_per_stage": [4, 4, 4, 4], "global_attention_blocks": [],
        "window_positional_embedding_background_size": [4, 4],
    }  # fmt: skip
    sides = [[SIZE // 4] * 2, [SIZE // 8] * 2, [SIZE // 16] * 2]
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[128, 64, 32, 16],
        backbone_feature_sizes=sides, fpn_hidden_size=32, image_size=SIZE,
    )  # fmt: skip
    config = transformers.Sam2Config(
        vision_config=vision.to_dict(),
        prompt_encoder_config={"hidden_size": 32, "image_size": SIZE, "patch_size": 16,
                               "mask_input_channels": 16},
        mask_decoder_config={"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2,
                             "iou_head_hidden_dim": 32},
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.Sam2Model(config).save_pretrained(folder)
    images = transformers.Sam2ImageProcessor(size={"height": SIZE, "width": SIZE})
    transformers.Sam2Processor(images).save_pretrained(folder)


def save_clipseg(folder):
    """Save a CLIPSeg."""
    folder.mkdir()
    text, vision = _towers(folder)
    config = transformers.CLIPSegConfig(
        text_config=text, vision_config=vision, projection_dim=32, extract_layers=[0, 1],
        reduce_dim=16, decoder_num_attention_heads=2, decoder_intermediate_size=32,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.CLIPSegForImageSegmentation(config).save_pretrained(folder)
    images = transformers.ViTImageProcessor(size={"height": SIZE, "width": SIZE})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, model_max_length=16)
    transformers.CLIPSegProcessor(images, tokenizer).save_pretrained(folder)
