"""Files are not for other users, and what killed processes leave in /dev/shm is removed."""

import fcntl
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest

from vlm_robot_ros import dds_shared_memory
from vlm_robot_ros.dds_shared_memory import (
    SHARED_MEMORY_DIR,
    remove_dead_segments,
    restrict_segments,
)
from vlm_robot_ros.file_permissions import GROUP_READABLE, folder_mode, restrict_umask
from vlm_robot_ros.inference.shared_memory import SharedArrayWriter

SEGMENT, PORT = "fastdds_0123456789abcdef", "fastdds_port7411"


@pytest.fixture(autouse=True)
def umask():
    saved = os.umask(0o022)
    yield
    os.umask(saved)


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_files_are_for_the_user_only(tmp_path, monkeypatch, mask):
    monkeypatch.delenv(GROUP_READABLE, raising=False)
    os.umask(mask)
    restrict_umask()
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    assert (mode(tmp_path / "file"), mode(tmp_path / "folder")) == (0o600, 0o700)
    assert folder_mode() == 0o700


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_group_may_read_them_if_asked(tmp_path, monkeypatch, mask):
    monkeypatch.setenv(GROUP_READABLE, "1")
    os.umask(mask)
    restrict_umask()
    (tmp_path / "file").write_text("")
    assert mode(tmp_path / "file") == 0o640
    assert folder_mode() == 0o750


def test_a_wrong_value_is_refused_with_the_valid_ones(monkeypatch):
    monkeypatch.setenv(GROUP_READABLE, "perhaps")
    with pytest.raises(ValueError, match=f"{GROUP_READABLE} is 'perhaps'; valid: 1 or 0"):
        restrict_umask()


def make_old(monkeypatch):
    monkeypatch.setattr(dds_shared_memory, "_MIN_AGE_S", -1.0)


def make(folder, *names):
    for name in names:
        (folder / name).write_text("")


def test_dead_segments_and_ports_are_removed_whole(tmp_path, monkeypatch):
    make_old(monkeypatch)
    make(tmp_path, SEGMENT, f"{SEGMENT}_el", PORT, f"{PORT}_el", f"sem.{PORT}_mutex")
    make(tmp_path, "fastrtps_port1", "fastrtps_port1_sl", "sem.fastrtps_port1_mutex")
    make(tmp_path, "fastrtps_fedcba9876543210")  # a peer has removed its lock file
    assert remove_dead_segments(tmp_path) == [
        SEGMENT, "fastrtps_fedcba9876543210", PORT, "fastrtps_port1",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []
    assert remove_dead_segments(tmp_path) == []


def test_what_is_not_fast_dds_s_stays(tmp_path, monkeypatch):
    make_old(monkeypatch)
    names = ("fastdds_short", "fastdds_0123456789ABCDEF", "fastdds_portx", "sem.other", "psm_1",
             "xfastdds_0123456789abcdef", "fastdds_0123456789abcdef_elx")  # fmt: skip
    make(tmp_path, *names)
    assert remove_dead_segments(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == len(names)


@pytest.mark.parametrize("lock", [fcntl.LOCK_EX, fcntl.LOCK_SH])
def test_what_has_a_live_owner_stays(tmp_path, monkeypatch, lock):
    make_old(monkeypatch)
    make(tmp_path, SEGMENT, f"{SEGMENT}_el", PORT, f"{PORT}_sl")
    with (tmp_path / f"{SEGMENT}_el").open() as one, (tmp_path / f"{PORT}_sl").open() as other:
        fcntl.flock(one, lock)
        fcntl.flock(other, lock)
        assert remove_dead_segments(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 4


def test_what_is_just_being_made_stays(tmp_path):
    make(tmp_path, SEGMENT, f"{SEGMENT}_el", PORT)
    assert remove_dead_segments(tmp_path) == []


def test_what_a_process_has_mapped_stays(tmp_path, monkeypatch):
    make_old(monkeypatch)
    (tmp_path / PORT).write_bytes(b"x")
    code = f"import mmap; f = open({str(tmp_path / PORT)!r}, 'r+b'); m = mmap.mmap(f.fileno(), 0)"
    command = [sys.executable, "-c", f"{code}; print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert remove_dead_segments(tmp_path) == []
        process.kill()
        process.wait()
    assert remove_dead_segments(tmp_path) == [PORT]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root")
def test_other_users_segments_and_links_stay(tmp_path, monkeypatch):
    make_old(monkeypatch)
    make(tmp_path, SEGMENT, f"{SEGMENT}_el", "victim")
    for name in (SEGMENT, f"{SEGMENT}_el"):
        os.chown(tmp_path / name, 65534, 65534)
    (tmp_path / f"{PORT}_el").symlink_to(tmp_path / "victim")
    assert remove_dead_segments(tmp_path) == []
    assert (tmp_path / "victim").exists()


def test_no_such_folder_is_no_error(tmp_path):
    assert remove_dead_segments(tmp_path / "none") == []


def test_the_policys_memory_is_for_the_user_only(monkeypatch):
    made = []
    create = os.memfd_create
    monkeypatch.setattr(os, "memfd_create", lambda name: made.append(create(name)) or made[-1])
    ours, theirs = Pipe()
    seen = []
    monkeypatch.setattr(
        "vlm_robot_ros.inference.shared_memory.send_handle",
        lambda pipe, file, pid: seen.append(stat.S_IMODE(os.fstat(file).st_mode)),
    )
    SharedArrayWriter().send(ours, np.zeros(10))
    assert seen == [0o600]
    theirs.close()


def of(process):
    """Return the segments and ports that a process owns, and their locks, which it has open."""
    found = set()
    for file in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(OSError):
            lock = Path(os.readlink(file))
            if lock.parent == SHARED_MEMORY_DIR and lock.name.endswith(("_el", "_sl")):
                found |= {lock, lock.with_name(lock.name[:-3])}
    return found


@pytest.mark.long
@pytest.mark.skipif(
    not os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp").startswith("rmw_fastrtps"),
    reason="Fast DDS only",
)
def test_a_nodes_memory_is_private_and_goes_at_the_next_start_after_a_kill(graph, tmp_path):
    def start(name):
        process = graph.start("recorder_node", bag=tmp_path / name)
        assert graph.until(lambda: list((tmp_path / name).glob("*.mcap")))
        private = lambda: of(process) and all(mode(file) == 0o600 for file in of(process))  # noqa: E731
        assert graph.until(private)
        return process

    first = start("one")
    assert mode(tmp_path / "one") == 0o700
    assert [mode(file) for file in (tmp_path / "one").glob("*.mcap")] == [0o600]
    other = start("two")
    left = of(first)
    assert any("port" not in file.name for file in left)
    time.sleep(dds_shared_memory._MIN_AGE_S)
    first.send_signal(signal.SIGKILL)
    first.wait()
    # Live nodes have it mapped, too: Fast DDS removes some of it there.
    live = of(start("three")) | of(other)  # the new node may have made ports of the same numbers
    assert [file for file in left - live if file.exists()] == []
    assert all(file.exists() for file in of(other))


def test_the_group_may_share_a_nodes_memory_if_asked(graph, tmp_path, monkeypatch):
    monkeypatch.setenv(GROUP_READABLE, "1")
    process = graph.start("recorder_node", bag=tmp_path / "bag")
    assert graph.until(lambda: (tmp_path / "bag").exists())
    shared = lambda: [file for file in of(process) if file.exists() and "_el" not in file.name]  # noqa: E731
    assert graph.until(lambda: shared() and all(mode(file) == 0o660 for file in shared()))
    assert mode(tmp_path / "bag") == 0o750


def test_only_fast_dds_s_files_are_restricted(tmp_path):
    (tmp_path / "other").write_text("x")
    (tmp_path / "other").chmod(0o644)
    restrict_segments(tmp_path)
    assert mode(tmp_path / "other") == 0o644
