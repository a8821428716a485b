"""Half the bits only where the processor has instructions for them."""

import platform
from pathlib import Path

import pytest
import torch

from vlm_robot_ros.models.autocast import autocast_bfloat16, has_bfloat16


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="reads the flags of /proc/cpuinfo as Linux tells them of x86_64",
)
def test_what_the_processor_has_is_what_linux_says():
    flags = set(Path("/proc/cpuinfo").read_text().split())
    assert has_bfloat16("cpu") == bool(flags & {"avx512_bf16", "amx_bf16"})


def test_products_are_of_half_the_bits_only_there():
    ones = torch.ones(4, 4)
    with autocast_bfloat16("cpu"):
        product = ones @ ones
    assert product.dtype == (torch.bfloat16 if has_bfloat16("cpu") else torch.float32)
