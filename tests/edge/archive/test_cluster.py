from __future__ import annotations

import signal

import pytest

from fer_edge.archive.cluster import describe_start_failure, describe_task_failure, ray_session
from fer_edge.errors import ClusterError
from tests.edge.support import run_python


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "cannot connect to a Ray cluster"),
        ("ray://127.0.0.1:1", "cannot connect to a Ray cluster"),
        ("127.0.0.1:99999", "cannot connect to a Ray cluster"),
        ("somewhere", "such as 10.0.0.1:6379"),
        ("", "such as 10.0.0.1:6379"),
    ],
)
def test_an_address_without_a_cluster_is_refused_at_once(address: str, message: str) -> None:
    with pytest.raises(ClusterError) as raised, ray_session(address, 1):
        pass
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_cluster_of_another_version_is_described_in_one_line() -> None:
    error = RuntimeError(
        "Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.10.1\n"
        "This process on node 10.0.0.2 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
    )
    message = describe_start_failure(error, "at 10.0.0.1:6379")
    assert "The cluster was started with: Ray: 2.9.0 Python: 3.10.1" in message
    assert "install the same Ray and Python on every machine" in message
    assert "\n" not in message


def test_a_node_without_fer_edge_ends_the_run() -> None:
    message, fatal = describe_task_failure(ModuleNotFoundError("No module named 'fer_edge'"))
    assert fatal
    assert "install the same fer-edge[archive] on every node" in message


def test_an_unexpected_error_fails_only_its_source() -> None:
    message, fatal = describe_task_failure(RuntimeError("strange\nthing"))
    assert not fatal
    assert message == "Ray failed: strange thing"


STARTED = """
import os, signal, sys
from fer_edge.archive.cluster import _connect
from fer_edge.runtime.shutdown import run_program

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), int(sys.argv[1]))

class Ray:
    def init(self, **options):
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
        Finalized()  # what is raised in it is lost

def run():
    _connect(Ray(), {"address": "local"})
    return 0

run_program(run)
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_that_is_swallowed_while_ray_starts_ends_the_program(number: int, status: int) -> None:
    done = run_python(STARTED, int(number))
    assert (done.returncode, done.stderr) == (status, "")
