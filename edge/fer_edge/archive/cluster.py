"""Start Ray on this machine or join a cluster, and describe its failures."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, Final

from fer_edge.errors import ClusterError, reason_of
from fer_edge.runtime.shutdown import raise_if_interrupted, skip_finalization

__all__ = ["RETRIES", "build_start_error", "describe_task_failure", "ray_session"]

RETRIES: Final = 2
"""The number of times that Ray restarts a task whose worker was lost."""

_STORE_BYTES: Final = 128 << 20  # the size of Ray's object store; results are small
_STARTS: Final = 3  # start attempts; on a busy machine, one times out after 30 s
_SLOW: Final = "timed out during startup"
_CONNECT_S: Final = 5.0
_STATUS_S: Final = 60.0  # allows for a slow start of Python and Ray on a busy machine
_CLIENT: Final = "ray://"
_MAX_TEMP_LENGTH: Final = 40  # characters; paths of the sockets inside are limited to 107
_SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def ray_session(address: str | None, threads: int) -> Iterator[Any]:
    """Yield the module ``ray``, connected to a cluster or started on this machine.

    On this machine, Ray uses ``threads`` CPUs. Its usage reports are turned off. Ray's own messages are discarded,
    because they concern errors that are handled here. On exit, Ray's processes on this machine are stopped and the
    previous signal handlers restored. Raises ClusterError.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))  # Ray's default is unlimited
    if address is not None:
        _check_reachable(address)
    import ray

    folder = None if address is not None else Path(tempfile.mkdtemp(prefix="fer-edge-", dir=_short_temp()))
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if folder is None:
        options |= {"address": address}
    else:
        options |= {
            "address": "local",
            "num_cpus": threads,
            "include_dashboard": False,
            "object_store_memory": _STORE_BYTES,
            "_temp_dir": os.fspath(folder),
        }
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123
            _connect(ray, options)
            try:
                yield ray
            finally:
                ray.shutdown()
    finally:
        skip_finalization()  # C++ threads of Ray may still be running
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _connect(ray: Any, options: dict[str, Any]) -> None:
    """Call ``ray.init`` without letting it change the signal handlers of this program."""
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    address = options["address"]
    where = "on this machine" if address == "local" else f"at {address}"
    try:
        with _keep_sigterm_handler():
            _init(ray, options)
    except (Exception, SystemExit) as error:
        raise_if_interrupted()  # Ray may have replaced the exception of a signal
        raise build_start_error(error, where) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                with suppress(TypeError):  # the handler was not installed by Python
                    signal.signal(number, handler)
    raise_if_interrupted()  # Ray may have swallowed the interrupt


@contextmanager
def _keep_sigterm_handler() -> Iterator[None]:
    """Keep Ray from installing a SIGTERM handler.

    Ray's handler raises SystemExit, which is lost, together with the signal, if it is raised in a finalizer.
    """
    install = signal.signal

    def install_others(number: int, handler: Any) -> Any:
        return signal.getsignal(number) if number == signal.SIGTERM else install(number, handler)

    signal.signal = install_others  # type: ignore[assignment]
    try:
        yield
    finally:
        signal.signal = install


def _init(ray: Any, options: dict[str, Any]) -> None:
    """Call ``ray.init``, and retry if it timed out."""
    for tries_left in reversed(range(_STARTS)):
        try:
            ray.init(**options)
            return
        except Exception as error:
            if _SLOW not in str(error) or not tries_left:
                raise
            ray.shutdown()


def _short_temp() -> str:
    """Return the temporary folder, or ``/tmp`` if its path is too long for sockets."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= _MAX_TEMP_LENGTH or os.name != "posix" else "/tmp"


def _check_reachable(address: str) -> None:
    """Raise ClusterError if nothing listens at the address.

    Ray itself would retry for minutes.
    """
    host, separator, port = address.removeprefix(_CLIENT).rpartition(":")
    if address == "auto":
        return
    if not (separator and host and port.isdecimal()):
        raise ClusterError(
            f"{address}: not the address of a cluster; use an address such as 10.0.0.1:6379, "
            "ray://10.0.0.1:10001 or auto"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"{address}: cannot connect to a Ray cluster ({getattr(error, 'strerror', None) or error}); check the "
            "address, or start a cluster with: ray start --head --port 6379 --disable-usage-stats"
        ) from error
    if not address.startswith(_CLIENT):
        _check_status(address)


def _check_status(address: str) -> None:
    """Raise ClusterError if the listener is not a Ray cluster.

    Ray itself would wait forever.
    """
    command = [sys.executable, "-m", "ray.scripts.scripts", "status", "--address", address]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_STATUS_S)
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"{address}: the server at this address is not a Ray cluster; check the address with: ray status"
        ) from None
    if ran.returncode:
        raise build_start_error(RuntimeError(ran.stderr[-400:]), f"at {address}")


def build_start_error(error: BaseException, where: str) -> ClusterError:
    """Build the error that says why Ray could not be started or joined, and what to do.

    ``where`` is ``at ADDRESS`` or ``on this machine``.
    """
    text = " ".join(f"{error} {error.__cause__ or ''}".split())
    if "ersion mismatch" in text:
        found = text[text.index("ersion mismatch") + len("ersion mismatch") :].lstrip(": ")[:160]
        return ClusterError(
            f"Ray {where}: version mismatch ({found}); install the same Ray and Python on every machine"
        )
    if "token" in text.lower() and "auth" in text.lower():
        return ClusterError(
            f"Ray {where}: authentication failed ({text[:160]}); copy ~/.ray/auth_token from the head node"
        )
    if where == "on this machine":
        return ClusterError(
            f"cannot start Ray {where}: {text[:300]}", hint="fer-edge video --append works without Ray"
        )
    return ClusterError(f"cannot join Ray {where}: {text[:300]}; check it with: ray status")


def describe_task_failure(error: BaseException) -> tuple[str, bool]:
    """Describe the unexpected failure of a task.

    The second value is true if all other tasks would fail in the same way.
    """
    import ray.exceptions as failures

    tries = RETRIES + 1
    if isinstance(error, failures.OutOfMemoryError):
        return (
            f"the worker ran out of memory {tries} times; use more memory or fewer threads",
            False,
        )
    cause = getattr(error, "cause", None) or error
    text = reason_of(cause)
    if "ModuleNotFoundError" in text or isinstance(cause, ImportError):
        return (
            "a node of the cluster cannot import fer-edge; install the same fer-edge[archive] on every node "
            f"({text[-160:]})"
        ), True
    if isinstance(error, failures.RayTaskError):
        return f"unexpected {type(cause).__name__}: {text[:300]}", False
    if isinstance(error, failures.WorkerCrashedError | failures.NodeDiedError | failures.ObjectLostError):
        return f"the worker crashed or stalled {tries} times; the video may be damaged", False
    return f"Ray failed: {text[:300]}", False
