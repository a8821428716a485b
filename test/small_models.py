"""Pretrained-format models of a few thousand weights, saved as the hubs save them."""

import io
import json

import open_clip
import sentencepiece
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS = ["a", "photo", "of", "the", "red", "blue", "cube", "robot", "moving", "box", "nothing"]
SIZE, PATCH = 32, 8


def word_tokenizer(folder):
    """Save a tokenizer of whole words, in the format of every fast tokenizer."""
    names = ["<pad>", "<unk>", "<s>", "</s>", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(names)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", bos_token="<s>",
        eos_token="</s>",
    )  # fmt: skip
    fast.save_pretrained(folder)
    return len(names)


def sentence_tokenizer(folder):
    """Save SigLIP's own kind of tokenizer, of sentence pieces."""
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(WORDS)] * 20), model_writer=made, vocab_size=40,
        hard_vocab_limit=False, pad_id=-1, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    (folder / "spiece.model").write_bytes(made.getvalue())
    tokenizer = transformers.SiglipTokenizer(str(folder / "spiece.model"))
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def save_open_clip(folder, kind):
    """Save a model in open_clip's format for hubs; kinds: clip, coca, siglip."""
    folder.mkdir()
    vision = {"image_size": SIZE, "layers": 2, "width": 32, "patch_size": PATCH, "head_width": 16}
    text = {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}
    preprocess = {}
    if kind == "siglip":
        count = word_tokenizer(folder)
        config.update(custom_text=True, init_logit_bias=-10, init_logit_scale=2.3)
        config["vision_cfg"] = {
            "image_size": 160, "timm_model_name": "test_vit", "timm_model_pretrained": False,
            "timm_pool": "avg", "timm_proj": "linear",
        }  # fmt: skip
        text.update(
            vocab_size=count,
            hf_tokenizer_name="local",
            no_causal_mask=True,
            pool_type="last",
            proj_bias=True,
            tokenizer_kwargs={"clean": "canonicalize"},
        )
        preprocess = {"size": [160, 160], "mean": [0.5] * 3, "std": [0.5] * 3,
                      "resize_mode": "squash"}  # fmt: skip
    if kind == "coca":
        vision.update(attentional_pool=True, attn_pooler_heads=2, attn_pooler_queries=4,
                      output_tokens=True)  # fmt: skip
        text.update(embed_cls=True, output_tokens=True)
        config["multimodal_cfg"] = {"context_length": 20, "vocab_size": 49408, "width": 24,
                                    "heads": 2, "layers": 1}  # fmt: skip
        config["custom_text"] = True
    path = folder / "open_clip_config.json"
    path.write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}")
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")


def save_hf(folder, kind):
    """Save a model of a kind in the format of transformers."""
    folder.mkdir()
    count = 0 if kind == "siglip" else word_tokenizer(folder)
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
             "num_attention_heads": 2}  # fmt: skip
    text = {**tower, "vocab_size": count, "max_position_embeddings": 16, "pad_token_id": 0,
            "bos_token_id": 2, "eos_token_id": 3}  # fmt: skip
    vision = {**tower, "image_size": SIZE, "patch_size": PATCH}
    torch.manual_seed(0)
    if kind == "clip":
        config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
        model = transformers.CLIPModel(config)
        processor = transformers.CLIPImageProcessor(
            size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}
        )
    elif kind == "blip2":
        former = {**tower, "vocab_size": count, "max_position_embeddings": 16, "pad_token_id": 0,
                  "use_qformer_text_input": True}  # fmt: skip
        words = {**tower, "vocab_size": count, "max_position_embeddings": 16, "ffn_dim": 64,
                 "model_type": "opt", "word_embed_proj_dim": 32}  # fmt: skip
        config = transformers.Blip2Config(
            vision_config=vision, qformer_config=former, text_config=words, num_query_tokens=4,
            image_text_hidden_size=24,
        )  # fmt: skip
        model = transformers.Blip2ForImageTextRetrieval(config)
        torch.nn.init.normal_(model.query_tokens)
        processor = transformers.BlipImageProcessor(size={"height": SIZE, "width": SIZE})
    elif kind == "paligemma":
        # Of PaliGemma 2, which caps its logits and slides its attention.
        words = {**tower, "vocab_size": count, "num_key_value_heads": 1, "head_dim": 16,
                 "model_type": "gemma2", "sliding_window": 6, "layer_types":
                 ["sliding_attention", "full_attention"], "pad_token_id": 0,
                 "final_logit_softcapping": 0.4, "query_pre_attn_scalar": 16}  # fmt: skip
        config = transformers.PaliGemmaConfig(
            vision_config={**vision, "model_type": "siglip_vision_model", "projection_dim": 32},
            text_config=words, projection_dim=32, hidden_size=32, image_token_index=1,
        )  # fmt: skip
        model = transformers.PaliGemmaForConditionalGeneration(config)
        processor = transformers.SiglipImageProcessor(size={"height": SIZE, "width": SIZE})
    elif kind == "siglip2":
        count = (SIZE // PATCH) ** 2
        sight = {**tower, "num_patches": count, "patch_size": PATCH}
        config = transformers.Siglip2Config(text_config=text, vision_config=sight)
        model = transformers.Siglip2Model(config)
        processor = transformers.Siglip2ImageProcessor(patch_size=PATCH, max_num_patches=count)
    else:
        text["vocab_size"] = sentence_tokenizer(folder)
        config = transformers.SiglipConfig(text_config=text, vision_config=vision)
        model = transformers.SiglipModel(config)
        processor = transformers.SiglipImageProcessor(size={"height": SIZE, "width": SIZE})
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def save_whisper(folder):
    """Save a Whisper that writes letters of its own choice, as transformers saves it."""
    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 256))]
    letters += [chr(256 + number) for number in range(256 - len(letters))]
    special = ["endoftext", "startoftranscript", "en", "translate", "transcribe", "startoflm",
               "startofprev", "nospeech", "notimestamps"]  # fmt: skip
    names = [*letters, *(f"<|{name}|>" for name in special)]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({name: n for n, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.WhisperTokenizer.from_pretrained(folder)
    features = transformers.WhisperFeatureExtractor(feature_size=8, chunk_length=2)
    transformers.WhisperProcessor(features, tokenizer).save_pretrained(folder)
    end, start, quiet = (
        names.index(f"<|{name}|>") for name in ("endoftext", "startoftranscript", "notimestamps")
    )
    config = transformers.WhisperConfig(
        vocab_size=len(names), num_mel_bins=8, d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, max_source_positions=100, max_target_positions=80, bos_token_id=end,
        eos_token_id=end, pad_token_id=end, decoder_start_token_id=start,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config)
    model.generation_config.no_timestamps_token_id = quiet
    model.save_pretrained(folder)
