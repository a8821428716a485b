"""Where the shipped files are: a source checkout, a `pip install` or a colcon install."""

import os
import re
from pathlib import Path

_PACKAGE = Path(__file__).parent


def user_path(given: str | Path) -> Path:
    """Return a path that a user gave, with `~` or `~name` in front replaced by the home folder.

    The shell does so only where `~` begins a word, which in `-p checkpoint:=~/mine` it does not.

    Raises:
        ValueError: there is no such user.
    """
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"'{given}' has no home folder: {error}; valid: ~/..., ~user/... of a user of this "
            "machine, or ./~... for a name that begins so"
        ) from error


def share_dir() -> Path:
    """Return the folder that holds `config/`, `launch/` and `checkpoints/`.

    Raises:
        FileNotFoundError: the package was installed without them.
    """
    # A checkout keeps them beside the package, pip inside it, colcon under the prefix's share/.
    prefixes = [parent / "share" / "vlm_robot_ros" for parent in _PACKAGE.parents]
    for folder in (_PACKAGE.parent, _PACKAGE / "share", *prefixes):
        if (folder / "config" / "arms").is_dir():
            return folder
    raise FileNotFoundError(f"no config/arms beside, inside or under the prefix of {_PACKAGE}")


def dds_profile_variable() -> str:
    """Return the name of the environment variable that this ROS 2's Fast DDS reads its profile by.

    Without the shipped profile, `config/fastdds.xml`, most camera frames are lost.
    """
    older = (
        os.environ.get("ROS_DISTRO") == "jazzy" or "FASTRTPS_DEFAULT_PROFILES_FILE" in os.environ
    )
    return f"{'FASTRTPS' if older else 'FASTDDS'}_DEFAULT_PROFILES_FILE"


def shipped_checkpoint() -> Path:
    """Return the folder of the policy that is shipped."""
    return share_dir() / "checkpoints" / "panda_sim"


def shipped_sentence_parser() -> Path:
    """Return the folder of the sentence parser that is shipped."""
    return share_dir() / "checkpoints" / "sentence_parser"


SHIPPED_CHECKPOINT = "shipped"
"""Name of the checkpoint that comes with the package."""


def checkpoint_folder(name: str | Path | None) -> Path:
    """Return the folder of a checkpoint.

    Args:
        name: A path; the name of a shipped one, such as `libero`; None, "" or `shipped` for that
            of the package's table.
    """
    if name is None or str(name) in ("", SHIPPED_CHECKPOINT):
        return shipped_checkpoint()
    shipped = share_dir() / "checkpoints" / str(name)
    own = user_path(str(name))
    is_name = re.fullmatch(r"\w+", str(name)) and (shipped / "config.json").is_file()
    return shipped if is_name and not own.exists() else own


def atomic_write_text(path: Path, text: str) -> None:
    """Write a file that is there as it was, or whole, whatever happens meanwhile."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def config_dir() -> Path:
    """Return the folder of the shipped configuration files."""
    return share_dir() / "config"
