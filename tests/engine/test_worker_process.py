# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker and its caller: neither takes the other down, and neither outlives what it should not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hmtalker.errors import CancelledError
from hmtalker.worker import process
from hmtalker.worker.errors import WorkerError
from hmtalker.worker.messages import Finding, Hello, Progress

PYTHON = Path(sys.executable)
posix = pytest.mark.skipif(os.name != "posix", reason="signals of a POSIX system")
linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux to end a process with its parent")

# Speaks for a worker, with nothing of the engine's.
SPEAKING = """
import json, os, signal, sys, time
def say(**message):
    os.write(1, json.dumps(message).encode() + b"\\n")
say(type="hello", protocol=1, engine="0", python="3", process=os.getpid())
request = json.loads(sys.stdin.readline())
"""


@pytest.fixture
def worker(tmp_path: Path) -> Callable[[str], Path]:
    """A script that stands in for the worker's."""

    def write(text: str) -> Path:
        path = tmp_path / "worker.py"
        path.write_text(SPEAKING + text, "utf-8")
        return path

    return write


def run(script: Path, **options: object) -> dict:
    return process.run(PYTHON, "capture", {"output": "café"}, bootstrap=script, **options)  # type: ignore[arg-type]


def is_alive(number: int) -> bool:
    """Whether a process runs; one that is dead and not yet asked for does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_messages_come_in_order_and_then_the_result(worker) -> None:
    script = worker("""
say(type="progress", stage="Reading", stage_index=0, stages=2, share=0.5, seconds_left=3.0, text="a.mp4")
print("a library prints this", flush=True)
os.write(1, b"\\xff\\x00 half a li")
os.write(1, b"ne\\n")
say(type="finding", severity="warning", title="Dark", remedy="Light it.")
say(type="done", result={"echo": request})
""")
    heard: list = []
    result = run(script, heard=heard.append)
    assert [type(message) for message in heard] == [Hello, Progress, Finding]
    assert heard[1] == Progress("Reading", 0, 2, 0.5, 3.0, "a.mp4")
    assert result["echo"]["command"] == "capture"
    assert result["echo"]["options"] == {"output": "café"}


def test_a_failure_is_its_own_sentence(worker) -> None:
    with pytest.raises(WorkerError, match=r"^There is no video\.$"):
        run(worker('say(type="failed", sentence="There is no video.")'))


@posix
def test_a_worker_that_is_killed_is_one_sentence(worker) -> None:
    with pytest.raises(WorkerError, match="memory runs out"):
        run(worker("os.kill(os.getpid(), signal.SIGKILL)"))
    with pytest.raises(WorkerError, match="crashed"):
        run(worker("signal.signal(signal.SIGSEGV, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGSEGV)"))


def test_a_worker_that_ends_early_tells_its_last_words(worker) -> None:
    with pytest.raises(WorkerError, match=r'status 7.*"No module named torch"'):
        run(worker('print("No module named torch", file=sys.stderr, flush=True); sys.exit(7)'))


def test_half_a_message_of_a_dying_worker_is_no_message(worker) -> None:
    with pytest.raises(WorkerError, match="without an answer"):
        run(worker("""os.write(1, b'{"type": "done", "result": {}'); os._exit(0)"""))


def test_a_python_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="does not start"):
        process.run(tmp_path / "python", "check", {})
    nothing = tmp_path / "noexec"
    nothing.write_text("not a program")
    nothing.chmod(0o755)
    with pytest.raises(WorkerError, match="does not start"):
        process.run(nothing, "check", {})


def test_a_flood_of_noise_is_survived(worker) -> None:
    script = worker("""
for _ in range(300):
    os.write(1, b"x" * 65536)
os.write(1, b"\\n")
os.write(2, b"y" * 3_000_000 + b"\\n")
say(type="done", result={"fine": True})
""")
    assert run(script) == {"fine": True}


def test_cancel_is_heard_and_finished_work_kept(worker) -> None:
    script = worker("""
assert json.loads(sys.stdin.readline()) == {"type": "cancel"}
say(type="failed", sentence="Cancelled; 3 clips are kept.", cancelled=True)
""")
    with pytest.raises(CancelledError, match="3 clips are kept"):
        run(script, cancelled=lambda: True)


@linux
def test_a_worker_that_does_not_hear_is_ended_with_all_it_started(worker) -> None:
    script = worker("""
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
say(type="progress", stage=str(child.pid), stage_index=0, stages=1, share=0)
time.sleep(60)
""")
    heard: list = []
    with pytest.raises(CancelledError, match="kept"):
        run(script, heard=heard.append, cancelled=lambda: len(heard) == 2, grace=0.2)
    wait_until(lambda: not is_alive(heard[0].process) and not is_alive(int(heard[1].stage)))


def test_a_child_of_a_dead_worker_that_holds_its_pipes_is_not_waited_for(worker) -> None:
    script = worker("""
import subprocess
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
os._exit(5)
""")
    with pytest.raises(WorkerError, match="status 5"):
        run(script)


def test_a_worker_that_never_reads_cannot_hold_its_caller(tmp_path: Path) -> None:
    script = tmp_path / "deaf.py"
    script.write_text("import time; time.sleep(60)")
    begun = threading.Event()
    timer = threading.Timer(0.3, begun.set)
    timer.start()
    with pytest.raises(CancelledError):
        process.run(PYTHON, "capture", {"videos": ["x" * 500_000]}, bootstrap=script, cancelled=begun.is_set, grace=0.1)


def test_too_much_for_one_request_is_one_sentence(worker) -> None:
    with pytest.raises(WorkerError, match="too many files"):
        process.run(PYTHON, "capture", {"videos": ["x" * 2_000_000]}, bootstrap=worker(""))


CALLER = """
import sys, threading
sys.path.insert(0, {tests!r})
import conftest, signal
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as in an application that does not ignore it
from pathlib import Path
from hmtalker.worker import process
from hmtalker.worker.errors import WorkerError
{body}
"""


def caller(body: str) -> subprocess.Popen[str]:
    code = CALLER.format(tests=str(Path(__file__).resolve().parents[1]), body=body)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


@linux
@pytest.mark.parametrize("busy", ["time.sleep(60)", "ctypes.PyDLL(None).sleep(60)"])
def test_a_worker_ends_with_its_caller_even_while_a_library_holds_the_lock(tmp_path: Path, busy: str) -> None:
    """The real lifeline; PyDLL keeps Python's lock, so no thread of the worker's can notice anything."""
    script = tmp_path / "worker.py"
    script.write_text(f"""
import ctypes, importlib, importlib.util, os, sys, time
spec = importlib.util.spec_from_file_location("bootstrap", {str(process.BOOTSTRAP)!r})
spec.loader.exec_module(importlib.util.module_from_spec(spec))
lifeline = importlib.import_module("hmtalker.worker.lifeline")
messages = importlib.import_module("hmtalker.worker.messages")
lifeline.end_with_caller()
voice, orders = lifeline.Voice(), lifeline.Orders()
voice.say(messages.Hello("0", "3", os.getpid()))
{busy}
""")
    watched = caller(f"""
process.run(Path(sys.executable), "capture", {{}}, bootstrap=Path({str(script)!r}),
            heard=lambda message: print(message.process, flush=True))
""")
    assert watched.stdout is not None
    number = int(watched.stdout.readline())
    assert is_alive(number)
    watched.kill()
    watched.wait()
    wait_until(lambda: not is_alive(number))


@posix
def test_writing_to_a_worker_that_is_gone_does_not_end_the_program(tmp_path: Path) -> None:
    script = tmp_path / "gone.py"
    script.write_text("import os; os.close(0); import time; time.sleep(1)")
    watched = caller(f"""
try:
    process.run(Path(sys.executable), "capture", {{"a": "x" * 900_000}}, bootstrap=Path({str(script)!r}))
except WorkerError as error:
    print("alive", flush=True)
""")
    said, _ = watched.communicate(timeout=30)
    assert said == "alive\n"
    assert watched.returncode == 0


@posix
def test_nothing_is_left_open_after_a_run(worker) -> None:
    script = worker('say(type="done", result={})')
    run(script)
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for _ in range(5):
        run(script)
    if sys.platform == "linux":
        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("HM-Talker worker")])
    assert signal.getsignal(signal.SIGPIPE) is not None
