"""No file of a model, a checkpoint or an array can bring Python code that is run."""

import ast
import contextlib
import json
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vlm_robot_ros"
_NEEDED = {
    "from_pretrained": ("trust_remote_code", False),
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "open_clip.create_model": ("weights_only", True),
}


def calls():
    """Yield file, name and keywords of each call in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                words = {word.arg: word.value for word in node.keywords}
                yield path, ast.unparse(node.func), words


def test_every_loader_says_that_no_code_is_run():
    found = set()
    for path, name, words in calls():
        if path.name == "policy_server.py":  # LeRobot's loaders take no such word
            continue
        for ending, (word, value) in _NEEDED.items():
            if name.endswith(ending) and not name.startswith("peft."):
                given = words.get(word)
                assert isinstance(given, ast.Constant), f"{path}: {name} without {word}={value}"
                assert given.value is value, f"{path}: {name} with {word}={given.value}"
                found.add(ending)
    assert found == set(_NEEDED)


def test_no_file_is_unpickled():
    readers = {"pickle.load", "pickle.Unpickler", "joblib.load", "torch.jit.load", "yaml.load_all",
               "yaml.unsafe_load", "yaml.full_load"}  # fmt: skip
    assert [(path, name) for path, name, _ in calls() if name in readers] == []


def test_a_tokenizer_of_open_clip_runs_no_code_of_its_folder(tmp_path):
    pytest.importorskip("open_clip")
    from small_models import save_open_clip

    from vlm_robot_ros.models.encoders.registry import load_encoder

    folder, proof = tmp_path / "model", tmp_path / "run"
    save_open_clip(folder, "siglip")
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"]["trust_remote_code"] = True
    path.write_text(json.dumps(config))
    path = folder / "tokenizer_config.json"
    own = {**json.loads(path.read_text()), "auto_map": {"AutoTokenizer": ["evil.Own", None]}}
    path.write_text(json.dumps({**own, "tokenizer_class": "Own"}))
    (folder / "evil.py").write_text(f"open({str(proof)!r}, 'w').close()\nclass Own: pass\n")
    with contextlib.suppress(ValueError):
        load_encoder(f"open_clip:{folder}")
    assert not proof.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [({"r": 10**9}, "r is 1000000000, but"), ({"peft_type": "IA3"}, "valid: LORA")],
)
def test_adapters_that_allocate_without_end_are_refused(tmp_path, change, said):
    pytest.importorskip("peft")
    from vlm_robot_ros.models.encoders.base import EncoderError
    from vlm_robot_ros.models.encoders.finetuning import load_adapters

    about = {"peft_type": "LORA", "r": 8, **change}
    (tmp_path / "adapter_config.json").write_text(json.dumps(about))
    (tmp_path / "adapter_model.bin").write_bytes(b"a pickle")
    with pytest.raises(EncoderError, match=r"adapter_model\.safetensors"):
        load_adapters(None, tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(bytes(100))
    with pytest.raises(EncoderError, match=said):
        load_adapters(None, tmp_path)
