"""The documents: links, generated pages, and commands that are run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "checkpoints/panda_sim/README.md",
     ROOT / "benchmarks/README.md"]
)  # fmt: skip
TUTORIALS = ["first_command", "record_and_learn"]


def _id(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_links_of_document_lead_somewhere(document):
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        path = (document.parent / target) if target else document
        assert path.exists(), f"{document} links to {link}"
        if anchor and path.suffix == ".md":
            heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in anchors, f"{document} links to {link}"


def test_readme_has_two_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_page_is_in_a_table_of_contents():
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        name = str(page.relative_to(ROOT / "docs").with_suffix(""))
        if name.startswith("adr/0"):
            continue  # adr/index.md lists them by a pattern
        assert name == "index" or re.search(rf"^{name}$", index, re.MULTILINE), name


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="help texts differ between Pythons")
def test_generated_pages_are_current():
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_python_example_of_the_readme_runs(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(code.splitlines()) <= 45
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"largest joint speed: [1-9]\d?% of the limit", done.stdout)


@pytest.mark.long
@pytest.mark.ros
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", TUTORIALS)
def test_commands_of_tutorial_run(page, tmp_path):
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    text = (ROOT / "docs" / "tutorials" / f"{page}.md").read_text()
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line]
    assert lines
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "vlm-robot"
        command = [sys.executable, "-m", "vlm_robot_ros.cli.main", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ}, timeout=400
        )
        assert done.returncode == 0, f"{line}: {done.stderr[-2000:]}"
