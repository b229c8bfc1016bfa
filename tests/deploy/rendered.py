"""The chart as Helm renders it, and what else of the repository the tests look at."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
CHART = REPOSITORY / "infra/chart"
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
RUN = REPOSITORY / "infra/compose/run.toml"

Manifest = dict[str, Any]


def helm(program: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(word) for word in (program, *words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Chart:
    """The chart with a file of values."""

    values: Manifest
    manifests: list[Manifest]

    @classmethod
    def render(cls, program: Path, values: Path, *more: str) -> Chart:
        runs = f"runs.demo={RUN}"
        words = ("template", "team", CHART, "--namespace", "vision", "--values", values)
        rendered = helm(program, *words, "--set-file", runs, *more)
        assert rendered.returncode == 0, rendered.stderr
        manifests = [one for one in yaml.safe_load_all(rendered.stdout) if one]
        defaults = yaml.safe_load((CHART / "values.yaml").read_text())
        return cls(merged(defaults, yaml.safe_load(values.read_text())), manifests)

    def of(self, *kinds: str) -> list[Manifest]:
        return [one for one in self.manifests if one["kind"] in kinds]

    def one(self, kind: str, ending: str) -> Manifest:
        [found] = [one for one in self.of(kind) if one["metadata"]["name"].endswith(ending)]
        return found

    def templates(self) -> dict[str, Manifest]:
        """The pods that there will be, by what they are."""
        found = {}
        for manifest in self.of("Deployment", "ScaledJob"):
            spec = manifest["spec"]
            template = spec.get("jobTargetRef", spec)["template"]
            found[template["metadata"]["labels"]["app.kubernetes.io/component"]] = template
        return found


def merged(defaults: Manifest, values: Manifest) -> Manifest:
    """Values as Helm lays them over the defaults."""
    out = dict(defaults)
    for key, value in values.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if both else value
    return out


def sample_keys(name: str) -> set[str]:
    """The keys that the sample of a settings file has, whether they have defaults or not."""
    keys, table = set(), ""
    for line in (REPOSITORY / "infra/settings" / name).read_text().splitlines():
        if line.startswith("["):
            table = line.strip("[]") + "."
        elif " = " in line and line.removeprefix("#")[:1].islower():
            keys.add(table + line.removeprefix("#").split(" = ")[0])
    return keys


def keys_of(settings: Manifest) -> set[str]:
    found = set()
    for key, value in settings.items():
        below = value if isinstance(value, dict) else {}
        found |= {f"{key}.{name}" for name in below} if below else {key}
    return found


def known_variables() -> set[str]:
    """The variables that the reference of the environment names."""
    readme = (REPOSITORY / "shared/README.md").read_text()
    section = readme.split("### The environment")[1].split("\n### ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {word for row in rows for word in row.replace("`", "").replace(",", " ").split()}


def is_known(variable: str) -> bool:
    """Whether the programs, or what they stand on, read a variable."""
    return (
        variable in known_variables()
        or variable in {"SSL_CERT_FILE", "HOME", "TMPDIR"}
        or (variable.startswith("AWS_"))
    )


def alerts() -> Manifest:
    return yaml.safe_load((REPOSITORY / "infra/monitoring/alerts.yml").read_text())


def job_names(configuration: str) -> set[str]:
    text = (REPOSITORY / "infra/monitoring" / configuration).read_text()
    return {job["job_name"] for job in yaml.safe_load(text)["scrape_configs"]}
