"""Write docs/reference/dependencies.md: every locked dependency, with versions and licence.

The licence is what a package says in its own metadata, a ROS package in its package.xml. Of
packages that are locked for other versions of Python or other distros it stands in ELSEWHERE.
"""

import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("setup", "kilted", "jazzy", "no-ros", "docs")
ELSEWHERE = {
    "cmeel-qhull": "Qhull",
    "cuda-toolkit": "LicenseRef-NVIDIA-Proprietary",
    "exceptiongroup": "MIT",
    "importlib-resources": "Apache-2.0",
    "nvidia-curand": "LicenseRef-NVIDIA-Proprietary",
    "robosuite": "MIT",
    "ros-domain-coordinator": "Apache-2.0",
    "ros-fastcdr": "Apache-2.0",
    "ros-fastdds": "Apache-2.0",
    "ros-fastrtps": "Apache-2.0",
    "ros-fastrtps-cmake-module": "Apache-2.0",
    "ros-python-cmake-module": "Apache-2.0",
    "setuptools": "MIT",
    "tomli": "MIT",
}
"""Licences of packages that are not installed everywhere or state theirs in a file only."""
_PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)
_LONG = 60
"""A licence field that is longer than this holds the licence's text [characters]."""


def locked() -> dict[str, list[str]]:
    """Return the versions of every package in any lock, by its name."""
    found: dict[str, list[str]] = {}
    for lock in LOCKS:
        for name, version in _PIN.findall((ROOT / f"requirements/{lock}.lock").read_text()):
            versions = found.setdefault(name, [])
            if version not in versions:
                versions.append(version)
    return dict(sorted(found.items()))


def licence(package: Distribution) -> str:
    """Return the licence that a package states; empty if it states none."""
    meta = package.metadata
    stated = (meta["License-Expression"] or "").strip()
    classifiers = [
        entry.rsplit(" :: ", 1)[1]
        for entry in meta.get_all("Classifier") or []
        if entry.startswith("License ::") and entry != "License :: OSI Approved"
    ]
    text = (meta["License"] or "").strip()
    short = text if len(text) <= _LONG and "\n" not in text else ""
    named = short if short.upper() not in ("", "UNKNOWN", "DUAL LICENSE") else ""
    return stated or named or ", ".join(classifiers) or _ros_licence(meta["Name"])


def _ros_licence(name: str) -> str:
    """Return the licences in the package.xml of a ROS package; empty if it is none."""
    folder = canonical(name).removeprefix("ros-").replace("-", "_")
    path = Path(sys.prefix) / "share" / folder / "package.xml"
    if not path.is_file():
        return ""
    found = ElementTree.parse(path).getroot().findall("license")
    return ", ".join((element.text or "").strip() for element in found)


def canonical(name: str) -> str:
    """Return a package's name as locks spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def table() -> str:
    """Return the list as Markdown.

    Raises:
        ValueError: the licences of some packages are not known.
    """
    folders = [*sys.path, str(ROOT / ".venv" / "docs")]
    installed = {
        canonical(each.metadata["Name"]): licence(each) for each in distributions(path=folders)
    }
    packages, rows, unknown = locked(), [], []
    for name, versions in packages.items():
        found = installed.get(name) or ELSEWHERE.get(name, "")
        if not found:
            unknown.append(name)
        rows.append(f"| {name} | {', '.join(versions)} | {found.replace('|', '/')} |")
    if unknown:
        raise ValueError(
            f"no licence known of {', '.join(unknown)}; look it up and add it to ELSEWHERE in "
            f"{Path(__file__).name}"
        )
    head = f"""\
# Dependencies

The {len(rows)} packages that `requirements/*.lock` pin, with the licences that they state in their
metadata. `make lock` writes this list. Where a package has several versions, each is for another
version of Python or another distro of ROS.

| package | version | licence |
|---|---|---|
"""
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "reference" / "dependencies.md").write_text(table())
