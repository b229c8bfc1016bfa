"""The compose file: as its schema says, without a password, and as the programs take it."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from composed import FILE, FOLDER, PROGRAMS, SCRIPT, filled, raw, variables
from conftest import lacking
from rendered import REPOSITORY, is_known, job_names, keys_of, sample_keys

SECRET = re.compile(r"PASS|SECRET|TOKEN")


def test_it_is_as_the_schema_of_compose_files_says() -> None:
    vendored = files("check_jsonschema") / "builtin_schemas/vendor"
    schema = json.loads((vendored / "compose-spec.json").read_text())
    validator = Draft202012Validator(schema)
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(raw())]
    assert errors == []
    wrong = raw()
    wrong["services"]["serve"]["comand"] = []
    assert list(validator.iter_errors(wrong))


def test_no_password_is_in_it_and_none_has_a_default() -> None:
    for name, service in raw()["services"].items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable):
                assert re.fullmatch(r"\$\{[A-Z_]+:\?run infra/compose/secrets\.sh\}", value), (
                    f"{name}: {variable}"
                )
    for name, (kind, _) in variables().items():
        assert (kind == "?") == bool(SECRET.search(name) or name.endswith("_KEY")), name


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """What the script makes, in a copy of its folder."""
    (tmp_path / "compose").mkdir()
    shutil.copy(SCRIPT, tmp_path / "compose/secrets.sh")
    subprocess.run([tmp_path / "compose/secrets.sh"], check=True, capture_output=True)
    return tmp_path / ".env"


def test_passwords_are_made_once_for_their_owner_alone(made: Path) -> None:
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    lines = dict(line.split("=") for line in made.read_text().splitlines())
    needed = {name for name, (kind, _) in variables().items() if kind == "?"}
    tokens = {secret["environment"] for secret in raw()["secrets"].values()}
    assert lines.keys() == needed | tokens
    assert len(set(lines.values())) == len(lines)
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in lines.values())
    before = made.read_text()
    subprocess.run([made.parent / "compose/secrets.sh"], check=True, capture_output=True)
    assert made.read_text() == before
    assert sorted(path.name for path in made.parent.iterdir()) == [".env", "compose"]


def test_what_is_made_is_ignored_by_git() -> None:
    ignored = ["git", "check-ignore", "infra/.env", "infra/.env.new"]
    found = subprocess.run(ignored, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert found.stdout.split() == ["infra/.env", "infra/.env.new"]


def test_nothing_listens_beyond_this_machine() -> None:
    ports = [port for service in raw()["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_file_that_is_mounted_is_there_and_every_volume_is_named() -> None:
    composed = filled({})
    for name, service in composed["services"].items():
        for volume in service.get("volumes", []):
            source, target, *mode = volume.split(":")
            assert target.startswith("/"), name
            if source.startswith("./"):
                assert (FOLDER / source).exists(), source
                assert mode == ["ro"], volume
            else:
                assert source in composed["volumes"], source


def test_images_of_others_are_pinned_by_digest_and_ours_have_the_version_of_the_programs() -> None:
    cargo = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())
    version = cargo["workspace"]["package"]["version"]
    for name, service in filled({})["services"].items():
        if name in PROGRAMS:
            cuda = "-cuda" if name == "worker-gpu" else ""
            assert service["image"] == f"localhost/synth2real:{version}{cuda}"
        else:
            assert re.search(r":[a-z0-9.-]+@sha256:[0-9a-f]{64}$", service["image"]), name


def test_profiles_choose_what_computes() -> None:
    profiles = {name: one.get("profiles", []) for name, one in raw()["services"].items()}
    assert profiles["worker-cpu"] == ["cpu"]
    assert profiles["worker-gpu"] == ["gpu"]
    always = {name for name, chosen in profiles.items() if not chosen}
    assert always == {"rabbitmq", "bucket", "serve", "prometheus", "grafana"}
    [device] = raw()["services"]["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_held_as_in_the_chart(name: str) -> None:
    service = raw()["services"][name]
    assert service["user"] == "65532:65532"
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    for variable in service["environment"]:
        assert is_known(variable), variable
    assert service["depends_on"].keys() == {"rabbitmq", "bucket"}


@pytest.mark.parametrize(("name", "device"), [("worker-cpu", "cpu"), ("worker-gpu", "cuda:0")])
def test_settings_of_workers_are_keys_of_the_sample(name: str, device: str) -> None:
    settings = tomllib.loads((FOLDER / f"compose/{name}.toml").read_text())
    assert keys_of(settings) <= sample_keys("worker.toml")
    service = filled({})["services"][name]
    assert settings["device"] == device
    assert settings["root"] == service["environment"]["SYNTH2REAL_ROOT"]
    targets = [volume.split(":")[1] for volume in service["volumes"]]
    assert settings["cache_dir"] in targets
    assert service["command"] == ["worker", "--config", "/etc/synth2real/worker.toml"]
    assert service["command"][-1] in targets


def test_the_run_of_the_demo_is_there_where_it_is_mounted() -> None:
    run = tomllib.loads((FOLDER / "compose/run.toml").read_text())
    assert keys_of(run) <= sample_keys("run.toml")
    for path in (run["content"]["root"], run["style"]["root"], run["model"]["path"]):
        assert (FOLDER / "demo" / Path(path).relative_to("/data")).is_dir(), path
    demo = tomllib.loads((FOLDER / "demo/run.toml").read_text())
    assert run["content"]["layout"] == demo["content"]["layout"]


def test_the_bucket_is_where_the_storage_root_says() -> None:
    services = filled({})["services"]
    bucket = services["serve"]["environment"]["SYNTH2REAL_ROOT"].removeprefix("s3://").split("/")[0]
    [volume] = services["bucket"]["volumes"]
    folder = services["bucket"]["command"][-1]
    assert volume.split(":")[1] == f"{folder}/{bucket}"
    port = services["bucket"]["command"][services["bucket"]["command"].index("--port") + 1]
    assert services["serve"]["environment"]["AWS_ENDPOINT_URL_S3"] == f"http://bucket{port}"
    own, of_programs = services["bucket"]["environment"], services["serve"]["environment"]
    assert own["ROOT_ACCESS_KEY_ID"] == of_programs["AWS_ACCESS_KEY_ID"]
    assert own["ROOT_SECRET_ACCESS_KEY"] == of_programs["AWS_SECRET_ACCESS_KEY"]


def test_prometheus_looks_where_programs_listen_and_knows_the_token() -> None:
    assert job_names("prometheus.compose.yml") == job_names("prometheus.yml")
    text = (FOLDER / "monitoring/prometheus.compose.yml").read_text()
    jobs = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    services = filled({})["services"]
    serve = services["serve"]["command"]
    port = serve[serve.index("--listen") + 1].split(":")[1]
    [targets] = jobs["synth2real-coordinator"]["static_configs"]
    assert targets["targets"] == [f"serve:{port}"]
    secret = services["prometheus"]["secrets"][0]["target"]
    token = jobs["synth2real-coordinator"]["authorization"]["credentials_file"]
    assert token == f"/run/secrets/{secret}"
    [found] = jobs["synth2real-worker"]["dns_sd_configs"]
    for name in found["names"]:
        assert name in services
        settings = tomllib.loads((FOLDER / f"compose/{name}.toml").read_text())
        assert settings["metrics"] == f"0.0.0.0:{found['port']}"
    configuration = services["prometheus"]["command"][0].removeprefix(
        "--config.file=/etc/prometheus/"
    )
    assert (FOLDER / "monitoring" / configuration).is_file()


def test_promtool_accepts_the_configuration_of_prometheus() -> None:
    promtool = REPOSITORY / ".cache/prometheus/promtool"
    if not promtool.is_file():
        lacking("run `make promtool`")
    path = FOLDER / "monitoring/prometheus.compose.yml"
    command = [str(promtool), "check", "config", "--syntax-only", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_grafana_is_provisioned_with_the_dashboard_of_the_project() -> None:
    grafana = filled({})["services"]["grafana"]
    mounts = dict(reversed(volume.split(":")[:2]) for volume in grafana["volumes"])
    folder = FOLDER / mounts["/etc/grafana/provisioning"]
    providers = yaml.safe_load((folder / "dashboards/synth2real.yml").read_text())["providers"]
    [provider] = providers
    path = f"{provider['options']['path']}/synth2real.json"
    assert (FOLDER / mounts[path]) == FOLDER / "monitoring/grafana/synth2real.json"
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == path
    sources = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())["datasources"]
    dashboard = json.loads((FOLDER / "monitoring/grafana/synth2real.json").read_text())
    wanted = [one for one in dashboard["templating"]["list"] if one["type"] == "datasource"]
    assert [one["type"] for one in sources] == [one["query"] for one in wanted]
    assert "prometheus" in filled({})["services"]
    assert sources[0]["url"] == "http://prometheus:9090"


def test_the_page_says_the_commands_that_there_are() -> None:
    page = (FOLDER / "README.md").read_text()
    for command in ("compose/secrets.sh", "docker compose", "--profile cpu", "--profile gpu"):
        assert command in page, command
    assert FILE.is_file()
