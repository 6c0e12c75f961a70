"""A service of the local stack starts once, says what went wrong and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import psutil
import pytest

from infra.local.errors import PortTaken, ServiceDied, ServiceNotReady
from infra.local.service import Service, free_port

SLEEPER = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]


def _service(directory: Path, command: list[str], **options: object) -> Service:
    return Service(name="sleeper", command=lambda: command, directory=directory, healthy=lambda: None, **options)  # type: ignore[arg-type]


def test_start_twice_runs_one_process_and_stop_leaves_none(tmp_path: Path) -> None:
    service = _service(tmp_path, SLEEPER)
    service.start()
    first = service.process()
    service.start()
    again = service.process()
    assert first is not None
    assert again is not None
    assert first.pid == again.pid
    service.stop()
    assert service.process() is None
    assert not psutil.pid_exists(first.pid)


def test_a_pid_that_now_belongs_to_another_program_is_not_ours(tmp_path: Path) -> None:
    service = _service(tmp_path, SLEEPER)
    service.start()
    own = service.process()
    assert own is not None
    pid_file = tmp_path / "sleeper.pid"
    pid_file.write_text(pid_file.read_text().replace(f'"pid": {own.pid}', '"pid": 1'))
    assert service.process() is None
    own.kill()


def test_a_taken_port_is_named_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        service = _service(tmp_path, SLEEPER, ports={"HEADWAY_KAFKA_PORT": port})
        with pytest.raises(PortTaken, match=rf"Port {port}.*pid {os.getpid()}.*set HEADWAY_KAFKA_PORT"):
            service.start()
    assert service.process() is None


def test_a_program_that_dies_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    service = Service(
        name="broken",
        command=lambda: [sys.executable, "-c", "raise SystemExit('no such disk')"],
        directory=tmp_path,
        healthy=lambda: "not yet",
    )
    (tmp_path / "broken.log").write_text("of the run before\n")
    service.start()
    with pytest.raises(ServiceDied, match="no such disk") as died:
        service.wait(20)
    assert "of the run before" not in str(died.value)


def test_a_program_that_never_answers_is_reported_with_the_reason(tmp_path: Path) -> None:
    service = Service(name="mute", command=lambda: SLEEPER, directory=tmp_path, healthy=lambda: "connection refused")
    service.start()
    with pytest.raises(ServiceNotReady, match=r"within 1 s \(connection refused\)"):
        service.wait(1)
    service.stop()


def test_a_free_port_can_be_bound() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free_port()))
