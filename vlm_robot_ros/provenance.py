"""What made a result: the hashes of a checkpoint and of the code."""

import hashlib
import subprocess
from pathlib import Path


def checkpoint_hash(folder: Path) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a checkpoint's files."""
    digest = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        if (folder / name).is_file():
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]


def git_hash() -> str:
    """Return the commit that last changed the code, with + if files differ; or "unknown"."""
    git = ["git", "-C", str(Path(__file__).resolve().parent)]
    code = ["--", ":/vlm_robot_ros", ":/config"]
    commands = (["log", "-1", "--abbrev=12", "--format=%h"], ["status", "--porcelain"])
    try:
        commit, changes = (
            subprocess.run([*git, *command, *code], capture_output=True, text=True, check=True)
            for command in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return (commit.stdout.strip() or "unknown") + ("+" if changes.stdout else "")
