"""The units of systemd: what it says of them, and that the programs take what they are given."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import units
from conftest import lacking
from rendered import REPOSITORY
from units import SERVE, WORKER
from watched import PATIENCE, get, wait_for, wait_until_shown

NAMES = ["synth2real-serve.service", "synth2real-worker@any.service"]
EXAMPLES = sorted((units.FOLDER / "examples").iterdir())
# Of ten.
MAX_EXPOSURE = 2.5


@pytest.fixture(params=["alone", "with every drop-in"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if not shutil.which("systemd-analyze"):
        lacking("systemd-analyze is missing: apt-get install systemd")
    chosen = [path.name for path in EXAMPLES] if request.param != "alone" else []
    return units.installed(tmp_path, chosen)


@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_nothing_wrong(root: Path, name: str) -> None:
    found = units.analyze("verify", f"--root={root}", "--man=no", name)
    # Of a key that it does not know it tells, and goes on.
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@pytest.mark.parametrize("name", NAMES)
def test_what_it_may_do_is_little(root: Path, name: str) -> None:
    found = units.analyze("security", "--offline=true", f"--root={root}", name)
    [exposure] = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", found.stdout)
    assert float(exposure) <= MAX_EXPOSURE, found.stdout


def test_every_example_is_for_a_unit_and_told_of() -> None:
    told = (REPOSITORY / "infra/deb/README.md").read_text()
    of_units = {path for unit in units.DROP_INS for path in units.examples(unit)}
    assert {path for path in EXAMPLES if path.suffix == ".conf"} == of_units
    for path in EXAMPLES:
        assert f"`{path.name}`" in told or f"/{path.name} " in told, path.name


@pytest.mark.parametrize("unit", [SERVE, WORKER], ids=lambda unit: unit.name)
def test_exit_codes_and_signals_are_those_of_the_programs(unit: Path) -> None:
    told = (REPOSITORY / "coordinator/README.md").read_text()
    assert "| 2 | wrong usage or settings |" in told
    assert units.values(unit, "RestartPreventExitStatus") == ["2"]
    assert units.values(unit, "Restart") == ["on-failure"]
    # SIGTERM, which is what systemd sends where nothing else is said.
    assert units.values(unit, "KillSignal") == []
    assert units.values(unit, "SuccessExitStatus") == ["130 143"]
    assert "| 130, 143 |" in told


def settings_keys(text: str) -> set[str]:
    """The keys of settings, those behind a # too."""
    found: set[str] = set()
    table = ""
    for line in text.splitlines():
        if header := re.fullmatch(r"\[([a-z.]+)\]", line):
            table = f"{header[1]}."
        elif key := re.match(r"#?([a-z_]+) = ", line):
            found.add(table + key[1])
    return found


def test_settings_of_the_example_are_settings_of_a_worker() -> None:
    example = units.FOLDER / "examples/worker.toml"
    known = settings_keys((REPOSITORY / "infra/settings/worker.toml").read_text())
    assert {"root", "metrics", "broker.url"} <= known
    given = tomllib.loads(example.read_text())
    assert set(given) <= known
    # Where the unit lets it write.
    assert given["root"].startswith("/var/lib/synth2real/")
    assert given["cache_dir"] == "/var/cache/synth2real"


def test_variables_are_told_of() -> None:
    told = (REPOSITORY / "shared/README.md").read_text()
    given = set(re.findall(r"^#?([A-Z0-9_]+)=", units.ENVIRONMENT.read_text(), re.MULTILINE))
    assert "SYNTH2REAL_BROKER_URL" in given
    for path in (SERVE, WORKER, *EXAMPLES):
        if path.suffix != ".toml":
            given |= set(units.variables(path))
    ours = {name for name in given if name not in ("HOME", "LD_LIBRARY_PATH")}
    for name in ours:
        assert f"`{name}`" in told or name.startswith("AWS_"), name


@pytest.fixture
def programs() -> Path:
    folder = Path(os.environ.get("PROGRAMS", ""))
    if not (folder / "synth2real").is_file():
        lacking("PROGRAMS is not set: `make test-deploy` sets it")
    return folder


@pytest.mark.parametrize("path", [SERVE, WORKER, units.FOLDER / "examples/token.conf"])
def test_arguments_are_known(programs: Path, path: Path) -> None:
    [[program, *words]] = units.commands(path)
    command = [str(programs / units.PROGRAMS[program]), *words, "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


class Machine:
    """A folder for all that units read and write, and the servers that they reach."""

    def __init__(self, folder: Path, programs: Path, broker: str) -> None:
        self.folder, self.programs, self.broker = folder, programs, broker
        self.started: list[subprocess.Popen[str]] = []
        for place in ("lib/synth2real", "cache/synth2real", "run", "etc"):
            (folder / place).mkdir(parents=True)

    def start(
        self, unit: Path, instance: str, *drop_ins: Path
    ) -> tuple[subprocess.Popen[str], Path]:
        """Starts what a unit starts, with what drop-ins change."""
        *_, command = [words for path in (unit, *drop_ins) for words in units.commands(path)]
        program, *words = [units.expanded(word, instance, self.folder) for word in command]
        places = {"/etc/synth2real": str(self.folder / "etc"), "0.0.0.0:8080": "127.0.0.1:0"}
        for path, place in places.items():
            words = [word.replace(path, place) for word in words]
        variables = {
            name: units.expanded(value, instance, self.folder)
            for path in (unit, *drop_ins)
            for name, value in units.variables(path).items()
        }
        # What the file of the environment would say.
        variables["SYNTH2REAL_BROKER_URL"] = self.broker
        kept = ("ORT_DYLIB_PATH", "PATH", "LD_LIBRARY_PATH")
        variables |= {name: os.environ[name] for name in kept if name in os.environ}
        log = self.folder / f"{unit.name}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [str(self.programs / units.PROGRAMS[program]), *words],
                env=variables,
                cwd=self.folder / "lib/synth2real",
                stdout=output,
                stderr=output,
                text=True,
            )
        self.started.append(process)
        return process, log


@pytest.fixture
def machine(tmp_path: Path, programs: Path) -> Iterator[Machine]:
    broker = os.environ.get("RABBITMQ_URL")
    if not broker:
        lacking("RABBITMQ_URL is not set: `make test-deploy` sets it")
    assert broker
    machine = Machine(tmp_path, programs, broker)
    yield machine
    for process in machine.started:
        process.kill()
        process.wait()


def test_the_programs_take_what_units_and_drop_ins_give_them(machine: Machine) -> None:
    token = "token-of-the-tests"
    (machine.folder / "run/dashboard-token").write_text(token)
    settings = (units.FOLDER / "examples/worker.toml").read_text()
    settings = settings.replace("/var/lib", str(machine.folder / "lib"))
    settings = settings.replace("/var/cache", str(machine.folder / "cache"))
    settings = settings.replace("127.0.0.1:9464", "127.0.0.1:0")
    (machine.folder / "etc/cpu.toml").write_text(settings)

    examples = units.FOLDER / "examples"
    serve, serve_log = machine.start(SERVE, "", examples / "token.conf")
    worker, worker_log = machine.start(WORKER, "cpu")
    dashboard = wait_for(r"dashboard: (http://\S+)", serve_log, serve)
    metrics = wait_for(r'"address":"(127\.0\.0\.1:\d+)"', worker_log, worker)
    assert get(f"{dashboard}/metrics")[0] == 401
    wait_until_shown("synth2real_queue_reachable 1", f"{dashboard}/metrics", token)
    wait_until_shown("synth2real_worker_info", f"http://{metrics}/metrics")
    assert (machine.folder / "lib/synth2real/results").is_dir()
    for process, log in ((worker, worker_log), (serve, serve_log)):
        process.terminate()
        assert process.wait(PATIENCE) == 0, log.read_text()
