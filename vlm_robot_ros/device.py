"""Devices that models compute on, as users name them."""

import re

import torch

_CUDA = re.compile(r"(?:cuda:)?(\d+)$")


def parse_device(asked: str) -> str:
    """Return the name of a device as torch takes it: `cpu`, `cuda` or `cuda:N`.

    Args:
        asked: `auto` (the first GPU where there is one), `cpu`, `cuda`, `cuda:N`, or N alone.

    Raises:
        ValueError: there is no such device; says which there are.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked in ("", "auto"):
        return "cuda" if count else "cpu"
    if asked == "cpu" or (asked == "cuda" and count):
        return asked
    number = _CUDA.match(asked)
    if number and int(number[1]) < count:
        return f"cuda:{int(number[1])}"
    there = [f"cuda:{index} ({torch.cuda.get_device_name(index)})" for index in range(count)]
    found = "this machine has " + (", ".join(there) if there else "no CUDA device")
    valid = "auto, cpu" + (f", cuda, cuda:0 to cuda:{count - 1}" if count else "")
    raise ValueError(f"device is '{asked}', and {found}; valid here: {valid}")
