"""A stand-in for LeRobot's package, and an interpreter that has it.

It has the few calls that `policy_server` makes, with what LeRobot 0.6.1 demands of them: images of
floats from 0 to 1, shape (1, 3, H, W), of the checkpoint's size; states of its width.
test_lerobot_peers compares the server with LeRobot itself.
"""

import json
import sys
from pathlib import Path

import torch

_CONFIG = """
import json
from pathlib import Path
from types import SimpleNamespace


class PreTrainedConfig(SimpleNamespace):
    @classmethod
    def from_pretrained(cls, path):
        content = json.loads((Path(path) / "config.json").read_text())
        for key in ("input_features", "output_features"):
            content[key] = {
                name: SimpleNamespace(
                    type=SimpleNamespace(value=each["type"]), shape=each["shape"]
                )
                for name, each in content[key].items()
            }
        return cls(**content)
"""
_FACTORY = '''
import os
import signal
import sys
import time

import torch


class Policy(torch.nn.Module):
    """Answers what its last state says, or fails as the prompt says."""

    @classmethod
    def from_pretrained(cls, path, config):
        print("loading weights")  # as LeRobot does, to standard output
        made = cls()
        made.config, made.count = config, 0
        return made

    def reset(self):
        self.count = 0

    def predict_action_chunk(self, batch):
        config = self.config
        for key, feature in config.input_features.items():
            value = batch[key]
            assert value.dtype == torch.float32, (key, value.dtype)
            assert tuple(value.shape) == (1, *feature.shape), (key, tuple(value.shape))
            assert feature.type.value != "VISUAL" or 0 <= value.min() <= value.max() <= 1
        task = batch["task"]
        if task == "hang":
            time.sleep(3600)
        if task == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "fail":
            raise RuntimeError("CUDA out of memory")
        if task == "babble":
            os.write(3, b"not a message")
        self.count += 1
        width = config.output_features["action"].shape[0]
        chunk = torch.full((1, config.chunk_size, width), float("nan") if task == "nan" else 0.0)
        state = batch["observation.state"]
        return chunk + state[:, None, :width] + torch.arange(config.chunk_size)[:, None] / 100

    def select_action(self, batch):
        step = self.count
        return self.predict_action_chunk(batch)[:, step]


class Processor:
    def __init__(self, device=None):
        self.device = device

    def __call__(self, given):
        return given

    def reset(self):
        pass


def get_policy_class(name):
    if name != "stub":
        raise NotImplementedError(f"Policy with name {name} is not implemented.")
    return Policy


def make_pre_post_processors(config, pretrained_path, preprocessor_overrides):
    return Processor(preprocessor_overrides["device_processor"]["device"]), Processor()
'''


def make_interpreter(folder: Path, begins: str = "exec") -> Path:
    """Return an interpreter, this one, that has the stand-in; `begins` is the shell's word."""
    site = folder / "site"
    files = {
        "lerobot/__init__.py": "", "lerobot/configs/__init__.py": "",
        "lerobot/configs/policies.py": _CONFIG, "lerobot/policies/__init__.py": "",
        "lerobot/policies/factory.py": _FACTORY,
    }  # fmt: skip
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    paths = f"{site}:{Path(torch.__file__).parents[1]}"
    interpreter = folder / "python"
    interpreter.write_text(f'#!/bin/sh\nPYTHONPATH="{paths}" {begins} "{sys.executable}" "$@"\n')
    interpreter.chmod(0o755)
    return interpreter


def make_checkpoint(folder: Path, **changes: object) -> Path:
    """Return a checkpoint of the stand-in: joints in, joints and gripper out."""
    content = {
        "type": "stub",
        "chunk_size": 5,
        "n_action_steps": 5,
        "input_features": {
            "observation.images.front": {"type": "VISUAL", "shape": [3, 24, 32]},
            "observation.state": {"type": "STATE", "shape": [8]},
        },
        "output_features": {"action": {"type": "ACTION", "shape": [8]}},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**content, **changes}))
    return folder
