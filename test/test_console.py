"""The console: in a real browser beside a real arm in simulation, and asked by strangers."""

import asyncio
import base64
import hashlib
import json
import os
import re
import signal

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from browser import CHROMIUM, Browser
from console_clients import get, path_of, start_console, wire_of
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from tornado.websocket import websocket_connect

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.console.report_files import list_reports, read_report, style_hashes
from vlm_robot_ros.msg import EpisodeMark, SimState, TaskLabel, VlmAction
from vlm_robot_ros.runtime.instructions import QUIET_AFTER_STOP_S
from vlm_robot_ros.sim.simulator import CONTROL_PERIOD


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
def test_in_a_browser_a_command_is_typed_a_label_appears_and_stop_stops(graph, tmp_path):
    states = graph.listen(SimState, "/arm_sim_node/state")
    marks = graph.listen(EpisodeMark, "episode_mark")
    graph.start("arm_sim_node", seed=3)
    graph.start("policy_node", use_sim_time=True)
    address = start_console(graph)
    assert graph.until(lambda: states, 100.0)
    browser = Browser(tmp_path / "profile")
    try:
        browser.go(address)
        browser.until("at('doing').textContent === 'holding: no instruction yet'", 100)
        browser.until("at('view').naturalWidth > 100")
        browser.click("words")
        browser.type(f"pick up the {states[-1].objects[0]}")
        browser.press("Enter", 13)
        label = browser.until("at('label').textContent")
        assert re.fullmatch(r"pick up the \w+ \d+ %", label)
        browser.until("at('doing').textContent === 'acting'")
        browser.until("at('latency').textContent.includes('p99')")
        browser.screenshot(tmp_path / "console.png")
        browser.click("stop")
        browser.until("at('doing').textContent.startsWith('holding: stopped by ~/stop')")
        browser.click("bad")
        # It is said of what was to be done, not of the stop.
        browser.until("at('episodes').rows[1]?.cells[3].textContent === 'not done'")
        assert browser.ask("at('episodes').rows[1].cells[1].textContent").startswith("pick up")
        assert graph.until(lambda: marks)
        assert (marks[-1].event, marks[-1].by) == (EpisodeMark.FAILURE, "person")
        seen = len(states)  # nobody types so soon after a stop; a hundred have waited here
        assert graph.until(lambda: len(states) > seen + 100 + QUIET_AFTER_STOP_S / CONTROL_PERIOD)
        browser.click("words")
        browser.type('<img src=x onerror="document.title=1">')
        browser.press("Enter", 13)
        browser.until("at('instruction').textContent.startsWith('<img')")
        assert browser.ask("document.title") == "vlm_robot_ros console"
        browser.press("Escape", 27)
        browser.until("at('doing').textContent.startsWith('holding: stopped by ~/stop')")
        browser.click("reset")
        browser.until("at('doing').textContent === 'holding: waiting for an instruction'")
    finally:
        browser.close()


GARBAGE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
def test_in_a_browser_garbage_on_topics_is_text_and_stays_small(graph, tmp_path):
    (tmp_path / "runs" / "a run").mkdir(parents=True)
    (tmp_path / "runs" / "a run" / "report.html").write_text(
        f"<style>p {{ color: rgb(1, 2, 3) }}</style><p id=p>{GARBAGE}</p>"
    )
    evil = GARBAGE + "\x1b[2J\u202e\0" + "x" * 100_000
    node = graph.node
    actions = node.create_publisher(VlmAction, "action", 10)
    labels = node.create_publisher(TaskLabel, "task_label", 10)
    held = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    said = node.create_publisher(String, "current_instruction", held)
    health = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
    address = start_console(graph, "--reports", str(tmp_path / "runs"))
    assert graph.until(lambda: all(
        each.get_subscription_count() for each in (actions, labels, said, health)
    ))  # fmt: skip
    said.publish(String(data=evil))
    graph.until(lambda: False, 1.0)
    numbers = iter(range(10**9))

    def publish():
        statuses = [
            DiagnosticStatus(name=f"{next(numbers)}{evil}", level=b"\2", message=evil)
            for _ in range(50)
        ]
        health.publish(DiagnosticArray(status=statuses))
        actions.publish(VlmAction(instruction=evil, hold=True, hold_reason=evil))
        labels.publish(TaskLabel(instruction=evil, label=evil, score=float("nan")))

    node.create_timer(0.1, publish)
    browser = Browser(tmp_path / "profile")
    seen = []

    def until(code):
        assert graph.until(lambda: browser.ask(code), 60.0), code
        return browser.ask(code)

    try:
        browser.go(address)
        listen = "addEventListener('securitypolicyviolation', e => broken.push(e.blockedURI))"
        browser.call("Runtime.evaluate", expression=f"window.broken = []; {listen}")
        until("at('instruction').textContent.includes('<img src=x')")
        until("at('doing').textContent.includes('<script>')")
        until("at('label').textContent.includes('<img')")
        until("at('faults').children.length > 5")
        seen.append(browser.ask("document.body.textContent.length"))
        assert browser.ask("document.title") == "vlm_robot_ros console"
        assert browser.ask("location.search + location.hash") == ""
        assert browser.ask("document.cookie") == ""
        assert browser.ask("document.querySelectorAll('img, script').length") == 2
        assert browser.ask("broken") == []
        assert "\x1b" not in browser.ask("document.body.textContent")
        graph.until(lambda: False, 3.0)
        seen.append(browser.ask("document.body.textContent.length"))
        assert max(seen) < 50_000
        until("!at('reports').hidden")
        link = browser.ask("at('reports').querySelector('a').href")
        browser.go(link)
        until("getComputedStyle(document.getElementById('p')).color === 'rgb(1, 2, 3)'")
        assert browser.ask("document.title") == ""
    finally:
        browser.close()


def test_words_reach_the_node_and_what_is_not_valid_is_answered(graph):
    heard = graph.listen(String, "instruction")
    actions = graph.node.create_publisher(VlmAction, "action", 10)
    address = wire_of(start_console(graph))
    assert graph.until(lambda: graph.node.count_publishers("instruction") > 0)
    assert graph.until(lambda: actions.get_subscription_count() > 0)

    async def talk(*lines):
        wire = await websocket_connect(address)
        answers = []
        for line in lines:
            await wire.write_message(line)
        while len(answers) < len(lines):
            answer = json.loads(await asyncio.wait_for(wire.read_message(), 30))
            answers += [answer["problem"]] if "problem" in answer else []
        refused = True  # at first the console may not know yet that somebody listens
        while refused:
            await wire.write_message(json.dumps({"say": "go home"}))
            await wire.write_message("[]")  # its answer comes after the other's, if there is one
            refused, problem = False, ""
            while problem != "not an object":
                answer = json.loads(await asyncio.wait_for(wire.read_message(), 30))
                problem = answer.get("problem", "")
                refused |= "nobody listens" in problem
            await asyncio.sleep(0.3 if refused else 0.0)  # who asks too often is hung up on
        wire.close()
        return answers

    hostile = ["", "[]", "{", '{"say": 3}', '{"success": "yes"}', "[" * 5000,
               json.dumps({"say": "x" * 5000}), "\x00", '{"say": null}']  # fmt: skip
    answers = asyncio.run(talk(*hostile))
    assert len(answers) == len(hostile)
    assert any("5000 characters; valid: up to 4000" in answer for answer in answers)
    assert graph.until(lambda: heard)
    assert {message.data for message in heard} == {"go home"}


def test_a_word_that_nobody_hears_is_not_said_in_silence(graph):
    address = wire_of(start_console(graph))

    async def talk():
        wire = await websocket_connect(address)
        await wire.write_message(json.dumps({"say": "stop"}))
        while "problem" not in (answer := json.loads(await wire.read_message())):
            assert answer["state"]["silent"]
        return answer["problem"]

    assert "nobody listens to instructions" in asyncio.run(talk())


def test_reports_of_runs_are_listed_and_nothing_else_is_handed_out(graph, tmp_path):
    (tmp_path / "runs" / "monday").mkdir(parents=True)
    (tmp_path / "runs" / "monday" / "report.html").write_text("all went well")
    (tmp_path / "runs" / "monday" / "secret.txt").write_text("no")
    (tmp_path / "report.html").write_text("no")
    address = start_console(graph, "--reports", str(tmp_path / "runs"))
    assert json.loads(get(path_of(address, "reports"))[1]) == {"reports": ["monday"]}
    assert get(path_of(address, "reports/monday")) == (200, "all went well")
    for name in ("tuesday", "..", "%2e%2e", "monday/secret.txt", "monday%2fsecret.txt"):
        assert get(path_of(address, f"reports/{name}"))[0] == 404


def test_reports_are_regular_files_that_no_link_leads_to(tmp_path):
    runs, secret = tmp_path / "runs", tmp_path / "elsewhere"
    for folder in (runs / "good", runs / "pipe", runs / "folder" / "report.html", secret):
        folder.mkdir(parents=True)
    (runs / "good" / "report.html").write_text("<style>a{}</style>fine")
    (secret / "report.html").write_text("secret")
    (runs / "linked_run").symlink_to(secret)
    (runs / "linked_file").mkdir()
    (runs / "linked_file" / "report.html").symlink_to(secret / "report.html")
    (runs / "hard").mkdir()
    (runs / "hard" / "report.html").hardlink_to(secret / "report.html")
    os.mkfifo(runs / "pipe" / "report.html")
    assert list_reports(runs) == ["good"]
    assert read_report(runs, "good") == b"<style>a{}</style>fine"
    for name in ("linked_run", "linked_file", "hard", "pipe", "folder", "none", "", ".", "..",
                 "good/../good", "../elsewhere", "\0", "\ud800"):  # fmt: skip
        assert read_report(runs, name) is None
    assert list_reports(tmp_path / "nowhere") == []
    (tmp_path / "link").symlink_to(runs)  # the user's own choice
    assert list_reports(tmp_path / "link") == ["good"]


def test_a_report_keeps_its_own_style_and_gets_no_script():
    (source,) = style_hashes(b"<style>a{}</style><script>x</script><b style='c'>")
    digest = base64.b64encode(hashlib.sha256(b"a{}").digest()).decode()
    assert source == f"'sha256-{digest}'"
    assert style_hashes(b"no style") == []


@pytest.mark.long
def test_the_console_of_a_demo_ends_when_one_of_its_nodes_does(graph, tmp_path):
    start_console(graph, "--demo", "--voice", str(tmp_path / "no.wav"), "--out", str(tmp_path))
    process = graph._processes[-1]
    errors = graph.ended(process)
    assert process.returncode == 2
    assert "voice_node (see" in errors
    assert "Traceback" not in errors


@pytest.mark.long
@pytest.mark.parametrize("ending", ["SIGTERM", "SIGHUP"])
def test_the_console_of_a_demo_leaves_a_bag_and_a_report(graph, tmp_path, ending):
    out = tmp_path / "run"
    start_console(graph, "--demo", "--out", str(out))
    actions = graph.listen(VlmAction, "action")
    assert graph.until(lambda: actions, 90.0)
    assert graph.until(lambda: (out / "bag").exists())
    process = graph._processes[-1]
    process.send_signal(signal.Signals[ending])
    assert "Traceback" not in graph.ended(process)
    assert (out / "bag" / "metadata.yaml").exists()
    assert "data:image/" in (out / "report.html").read_text()


def test_a_port_that_cannot_be_is_named(capsys):
    assert main(["console", "--port", "99999"]) == 2
    assert "--port is 99999; valid: 0 to 65535" in capsys.readouterr().err


def test_a_token_that_can_be_guessed_is_refused(capsys):
    assert main(["console", "--token", "secret"]) == 2
    assert "--token has 6 characters; valid: 16 at least" in capsys.readouterr().err


def test_the_network_option_is_for_the_demo(capsys):
    assert main(["console", "--network"]) == 2
    assert "--network is for --demo" in capsys.readouterr().err
