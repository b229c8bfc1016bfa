"""The programs of the compose file, with its commands, variables and files, as processes here."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from composed import FOLDER, SCRIPT, filled
from conftest import lacking
from rendered import REPOSITORY
from watched import PATIENCE, get, wait_for, wait_until_shown


@dataclass
class Fleet:
    """What takes the place of containers: a folder for what they mount, and who they reach."""

    programs: Path
    folder: Path
    broker: str
    bucket: str
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.services = filled(secrets())["services"]

    def place(self, service: str, target: str) -> str:
        """Where a path of a container lies on this machine."""
        for volume in self.services[service]["volumes"]:
            source, mounted, *_ = volume.split(":")
            if Path(target).is_relative_to(mounted):
                below = Path(target).relative_to(mounted)
                inside = self.folder / source if not source.startswith("./") else FOLDER / source
                return str(inside / below) if str(below) != "." else str(inside)
        return target

    def settings(self, service: str, target: str) -> str:
        """A settings file whose paths and ports are those of this machine."""
        text = Path(self.place(service, target)).read_text()
        paths = re.compile(r'"(/(?:data|var)/[^"]*)"')
        text = paths.sub(lambda path: f'"{self.place(service, path[1])}"', text)
        text = text.replace("0.0.0.0:9464", "127.0.0.1:0")
        written = self.folder / f"{service}-{Path(target).name}"
        written.write_text(text)
        return str(written)

    def environment(self, service: str) -> dict[str, str]:
        """The variables of a service; hosts and their credentials are those of servers here."""
        variables = dict(self.services[service]["environment"])
        account = urlsplit(self.broker)
        variables["SYNTH2REAL_BROKER_URL"] = self.broker.replace(
            f"{account.username}:{account.password}@", ""
        )
        variables["SYNTH2REAL_BROKER_USER"] = account.username
        variables["SYNTH2REAL_BROKER_PASSWORD"] = account.password
        variables["AWS_ENDPOINT_URL_S3"] = self.bucket
        kept = ("ORT_DYLIB_PATH", "PATH", "LD_LIBRARY_PATH")
        return variables | {name: os.environ[name] for name in kept if name in os.environ}

    def command(self, service: str, words: list[str]) -> list[str]:
        program, *arguments = words
        changed = [
            self.settings(service, word) if word.endswith(".toml") else word for word in arguments
        ]
        changed = ["127.0.0.1:0" if word == "0.0.0.0:8080" else word for word in changed]
        return [str(self.programs / program), *changed]

    def start(self, service: str) -> tuple[subprocess.Popen[str], Path]:
        log = self.folder / f"{service}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                self.command(service, self.services[service]["command"]),
                env=self.environment(service),
                stdout=output,
                stderr=output,
                text=True,
            )
        self.started.append(process)
        return process, log

    def run(self, service: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = self.command(service, [*self.services[service]["entrypoint"], *words])
        return subprocess.run(
            command, env=self.environment(service), capture_output=True, text=True, check=False
        )


def secrets() -> dict[str, str]:
    """A value for each variable that the script makes."""
    names = re.findall(r'echo "([A-Z_]+)=', SCRIPT.read_text())
    return {name: f"{name.lower()}-of-the-tests" for name in names}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    programs = Path(os.environ.get("PROGRAMS", ""))
    broker, bucket = os.environ.get("RABBITMQ_URL"), os.environ.get("MOTO_ENDPOINT")
    if not (programs / "synth2real").is_file() or not broker or not bucket:
        lacking("PROGRAMS, RABBITMQ_URL or MOTO_ENDPOINT is not set: `make test-deploy` sets them")
    assert broker
    assert bucket
    for volume in ("cache", "objects"):
        (tmp_path / volume).mkdir()
    create = urllib.request.Request(f"{bucket}/synth2real", method="PUT")
    urllib.request.urlopen(create, timeout=30).close()
    fleet = Fleet(programs, tmp_path, broker, bucket)
    yield fleet
    for process in fleet.started:
        process.kill()
        process.wait()


def test_the_programs_take_what_the_compose_file_gives_them(fleet: Fleet) -> None:
    serve, serve_log = fleet.start("serve")
    worker, worker_log = fleet.start("worker-cpu")
    dashboard = wait_for(r"dashboard: (http://\S+)", serve_log, serve)
    metrics = wait_for(r'"address":"(127\.0\.0\.1:\d+)"', worker_log, worker)
    queue = wait_for(r'"broker":"[^"]*queue ([^"]+)"', worker_log, worker)
    assert queue == "synth2real.shards"
    token = fleet.services["serve"]["environment"]["SYNTH2REAL_DASHBOARD_TOKEN"]
    assert get(f"{dashboard}/metrics")[0] == 401
    wait_until_shown("synth2real_queue_reachable 1", f"{dashboard}/metrics", token)
    wait_until_shown("synth2real_worker_info", f"http://{metrics}/metrics")
    for url in (dashboard, f"http://{metrics}"):
        assert get(f"{url}/healthz") == (200, "ok\n")
        assert get(f"{url}/readyz") == (200, "ok\n")
    # As `docker compose run --rm synth2real ...`; it is cancelled, so that nothing is converted.
    launched = fleet.run("synth2real", "launch", "/etc/synth2real/run.toml")
    assert launched.returncode == 0, launched.stderr
    cancelled = fleet.run("synth2real", "cancel", "demo")
    assert cancelled.returncode == 0, cancelled.stderr
    for process, log in ((worker, worker_log), (serve, serve_log)):
        process.terminate()
        assert process.wait(PATIENCE) == 0, log.read_text()


@pytest.mark.parametrize("service", ["serve", "worker-cpu", "worker-gpu", "synth2real"])
def test_arguments_are_known(fleet: Fleet, service: str) -> None:
    description = fleet.services[service]
    words = description.get("command") or [*description["entrypoint"], "launch", "run.toml"]
    program, *arguments = words
    command = [str(fleet.programs / program), *arguments, "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert str(REPOSITORY) not in ended.stdout
