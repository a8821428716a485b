"""Runs in LeRobot's interpreter: loads a policy and answers observations with actions.

It is a script of its own, without this package: LeRobot needs other versions of Python and torch.
Standard input has the requests, standard output the answers; what LeRobot prints goes to standard
error. `pipe_messages` says what messages are.
"""

import argparse
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

EMPTY_CAMERA = "empty_camera"
"""Part of the names of cameras that a policy can do without."""


def _load_messages() -> Any:
    """Return the module `pipe_messages` of the package, of which this interpreter has no more."""
    path = Path(__file__).resolve().parents[2] / "pipe_messages.py"
    spec = importlib.util.spec_from_file_location("pipe_messages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MESSAGES = _load_messages()


class LerobotPolicy:
    """A policy of LeRobot with its processors."""

    def __init__(self, path: str, device: str) -> None:
        """Load it.

        Args:
            path: Of its `pretrained_model` folder, or its name on the hub.
            device: Of torch.
        """
        import torch
        from lerobot.configs.policies import PreTrainedConfig
        from lerobot.policies.factory import get_policy_class, make_pre_post_processors

        self._torch = torch
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        config = PreTrainedConfig.from_pretrained(path)
        config.device = device
        policy = get_policy_class(config.type).from_pretrained(path, config=config)
        self.policy = policy.to(device).eval()
        overrides = {"device_processor": {"device": device}}
        self._before, self._after = make_pre_post_processors(
            config, pretrained_path=path, preprocessor_overrides=overrides
        )
        self.config = config

    def about(self) -> dict[str, Any]:
        """Return what the checkpoint says of itself."""
        config = self.config
        return {
            "type": config.type,
            "inputs": {
                key: [feature.type.value, list(feature.shape)]
                for key, feature in (config.input_features or {}).items()
            },
            "outputs": {
                key: list(feature.shape) for key, feature in (config.output_features or {}).items()
            },
            "steps": int(getattr(config, "n_action_steps", 0)),
            "names": list(getattr(config, "action_feature_names", None) or []),
        }

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request."""
        call = message.pop("call")
        if call == "reset":
            self.reset()
            return {}
        return {"action": {"infer": self.infer, "select": self.select}[call](message)}

    def reset(self) -> None:
        """Begin an episode."""
        for part in (self.policy, self._before, self._after):
            part.reset()

    def infer(self, observation: dict[str, Any]) -> np.ndarray:
        """Return a chunk of actions. Shape (H, A), float32."""
        batch = self._batch(observation)
        # What such a policy looks at comes from its queues, even where it is one moment only.
        if any(
            key.startswith("observation") for key in getattr(self.policy, "_queues", None) or ()
        ):
            self._remember(batch)
        with self._torch.no_grad():
            return self._actions(self.policy.predict_action_chunk(batch))

    def select(self, observation: dict[str, Any]) -> np.ndarray:
        """Return one action, as LeRobot's own loop asks for it. Shape (1, A), float32."""
        with self._torch.no_grad():
            return self._actions(self.policy.select_action(self._batch(observation))[:, None])

    def _batch(self, observation: dict[str, Any]) -> dict[str, Any]:
        """Return what LeRobot's preprocessor makes of an observation."""
        batch: dict[str, Any] = {}
        for key, value in observation.items():
            if not isinstance(value, np.ndarray):
                batch[key] = value
                continue
            tensor = self._torch.from_numpy(value.copy())
            if value.dtype == np.uint8:  # an image, (H, W, 3)
                tensor = tensor.permute(2, 0, 1).contiguous().float() / 255
            batch[key] = tensor[None]
        batch.setdefault("task", "")
        batch["robot_type"] = ""
        # Cameras that are not there, LeRobot fills in itself.
        needed = [key for key in self.config.input_features or {} if EMPTY_CAMERA not in key]
        missing = [key for key in needed if key not in batch]
        if missing:
            has = ", ".join(key for key in batch if key.startswith("observation"))
            raise ValueError(f"the policy needs '{missing[0]}'; the map gives {has or 'nothing'}")
        found: dict[str, Any] = self._before(batch)
        found.pop("action", None)  # there is none, and policies of several moments would keep it
        return found

    def _remember(self, batch: dict[str, Any]) -> None:
        """Keep an observation for a policy that looks at several, as its own loop does."""
        from lerobot.policies.utils import populate_queues

        if images := getattr(self.config, "image_features", None):
            batch["observation.images"] = self._torch.stack([batch[key] for key in images], dim=-4)
        self.policy._queues = populate_queues(self.policy._queues, batch)

    def _actions(self, chunk: Any) -> np.ndarray:
        """Return actions in the units of the data. Shape (H, A), float32."""
        steps = [self._after(chunk[:, number]) for number in range(chunk.shape[1])]
        table: np.ndarray = self._torch.cat(steps).float().cpu().numpy()
        return table


def main() -> int:
    """Load the policy, say what it is, and answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    requests, answers = MESSAGES.take_pipes()
    try:
        import torch

        if args.threads:
            torch.set_num_threads(args.threads)
        policy = LerobotPolicy(args.path, args.device)
        about = policy.about()
    except Exception as error:  # whatever is wrong is told to who asks
        traceback.print_exc()
        MESSAGES.write_message(answers, MESSAGES.error_message(error))
        return 1
    MESSAGES.write_message(answers, {"about": about})
    MESSAGES.answer_requests(policy.answer, requests, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
