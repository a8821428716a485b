"""The locks have hashes, and the list of licences is of what they pin."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)")


def pins():
    """Return each pinned package with its version, once."""
    lines = [line for lock in LOCKS for line in lock.read_text().splitlines()]
    return {match.groups() for line in lines if (match := PIN.match(line))}


def listed():
    """Return name, versions and licence of each row of the list."""
    rows = re.findall(
        r"^\| ([a-z0-9._-]+) \| (\S.*?) \| (.*?) \|$",
        (ROOT / "docs" / "reference" / "dependencies.md").read_text(),
        re.MULTILINE,
    )
    return [(name, versions.split(", "), licence) for name, versions, licence in rows[1:]]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_of_a_lock_has_a_hash(lock):
    lines = lock.read_text().splitlines()
    assert any(map(PIN.match, lines))
    for number, line in enumerate(lines):
        if line.startswith(" "):
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)
        else:
            assert PIN.match(line)
            assert lines[number + 1].startswith("    --hash"), line


def test_a_lock_names_no_registry():
    for lock in LOCKS:
        assert "://" not in lock.read_text()


def test_the_list_of_licences_names_exactly_what_is_locked():
    assert {(name, version) for name, versions, _ in listed() for version in versions} == pins()


def test_every_licence_is_named():
    assert all(licence.strip() for _, _, licence in listed())


def test_what_installs_checks_the_hashes():
    text = (ROOT / "scripts" / "setup").read_text()
    for command in re.findall(r"pip install(?:.*\\\n)*.*", text):
        assert "--require-hashes" in command
