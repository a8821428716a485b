"""Fusions: words and images meet where each says, and know of one another then."""

import pytest
import torch

from vlm_robot_ros.models.grounded.fusion import (
    FUSIONS,
    CrossFusion,
    Fusion,
    LateFusion,
    make_fusion,
)

MEETING = [kind for kind in FUSIONS if kind not in ("slots", "pooled")]


def make(kind):
    torch.manual_seed(0)
    return make_fusion(kind, 16, 12, 6).eval()


def meet(fusion, near, read):
    return fusion(fusion.fuse_early(near, read).flatten(2), read)


@pytest.mark.parametrize("kind", MEETING)
def test_each_token_hears_the_words_and_no_other_image(kind):
    fusion = make(kind)
    near, read = torch.randn(2, 16, 4, 5), torch.randn(2, 6, 12)
    heat = meet(fusion, near, read)
    assert heat.shape == (2, 2, 21)
    assert not torch.allclose(heat[..., :-1], meet(fusion, near, read + 1)[..., :-1])
    assert torch.allclose(heat[1], meet(fusion, near[1:], read[1:])[0], atol=1e-5)
    near[:, :, 0, 0] += 3
    assert not torch.allclose(heat[..., 0], meet(fusion, near, read)[..., 0])


def test_attention_says_which_words_a_token_listens_to():
    fusion = make("cross")
    tokens, read = torch.randn(2, 16, 20), torch.randn(2, 6, 12)
    maps = fusion.attention(tokens, read)
    assert maps.shape == (2, 2, 20, 6)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 2, 20))
    assert maps.std() > 0


def test_words_attend_to_images_as_images_do_to_words():
    fusion = make("cross")
    tokens, read = torch.randn(1, 16, 20), torch.randn(1, 6, 12)
    other = tokens.clone()
    other[..., 7] = torch.randn(1, 16)
    # The first token hears of the eighth only by way of the words, from the second layer on.
    first, second = (fusion.attention(t, read)[..., 0, :] for t in (tokens, other))
    assert not torch.allclose(first[1], second[1])


def test_the_gate_of_late_fusion_weighs_one_against_the_other():
    fusion = make("late")
    tokens, read = torch.randn(1, 16, 20), torch.randn(1, 6, 12)
    fusion.gate.weight.data.zero_()
    fusion.gate.bias.data.fill_(50.0)
    torch.testing.assert_close(fusion.fuse(tokens, read), fusion.tokens(tokens))
    fusion.gate.bias.data.fill_(-50.0)
    said = fusion.words(read.flatten(1))[..., None].expand(1, 16, 20)
    torch.testing.assert_close(fusion.fuse(tokens, read), said)


def test_their_kinds():
    assert isinstance(make("cross"), CrossFusion)
    assert isinstance(make("late"), LateFusion)
    assert all(isinstance(make(kind), Fusion) for kind in MEETING)
    assert make_fusion("slots", 16, 12, 6) is None
    with pytest.raises(ValueError, match="no fusion 'soup'; valid: slots, early"):
        make_fusion("soup", 16, 12, 6)
