"""The chart: accepted by Helm and by schemas, and in keeping with what the programs take."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from custom_resources import mistakes
from rendered import (
    CHART,
    EXAMPLES,
    REPOSITORY,
    RUN,
    Chart,
    Manifest,
    alerts,
    helm,
    is_known,
    job_names,
    keys_of,
    sample_keys,
)

# The oldest that the chart takes, and the newest that there is.
KUBERNETES = ["1.27", "1.37"]
CUSTOM = {"keda.sh/v1alpha1", "monitoring.coreos.com/v1"}


def test_there_are_five_files_of_values() -> None:
    names = {path.stem for path in EXAMPLES}
    assert names == {"cpu-small", "gpu-deployment", "gpu-jobs", "identity", "restricted"}


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)
def test_helm_finds_nothing_wrong(tools: Path, values: Path) -> None:
    linted = helm(tools / "helm", "lint", "--strict", CHART, "--values", values)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ("root=", "root"),
        ("root=gs://bucket/prefix", "root"),
        ("worker.kind=daemonset", "kind"),
        ("worker.device=gpu", "device"),
        ("worker.device=cuda:0", "gpus"),
        ("worker.gpus=1", "gpus"),
        ("worker.kind=jobs", "enabled"),
        ("worker.imageSeconds=0", "imageSeconds"),
        ("worker.idleSeconds=0", "idleSeconds"),
        ("worker.cache.kind=claim", "claim"),
        ("worker.replica=3", "replica"),
        ("image.digest=latest", "digest"),
        ("runs.Not_A_Name=x", "Not_A_Name"),
        ("broker.password=secret", "password"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(tools: Path, mistake: str, told: str) -> None:
    small = CHART / "examples/cpu-small.yaml"
    words = ("template", "team", CHART, "--values", small, "--set", mistake)
    refused = helm(tools / "helm", *words)
    assert refused.returncode != 0, mistake
    assert told in refused.stderr, refused.stderr


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_every_manifest_strictly(chart: Chart, version: str) -> None:
    own = [one for one in chart.manifests if one["apiVersion"] not in CUSTOM]
    assert len(own) >= 9
    for manifest in own:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_manifest_with_a_mistake_is_not_taken(chart: Chart) -> None:
    manifest = json.loads(json.dumps(chart.one("Deployment", "-serve")))
    manifest["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, KUBERNETES[0], strict=True)


def test_keda_and_the_prometheus_operator_take_every_manifest(chart: Chart) -> None:
    for manifest in chart.manifests:
        if manifest["apiVersion"] in CUSTOM:
            assert mistakes(manifest) == [], manifest["kind"]
    kinds = {one["kind"] for one in chart.manifests if one["apiVersion"] in CUSTOM}
    scaled = "ScaledJob" if chart.values["worker"]["kind"] == "jobs" else "ScaledObject"
    monitoring = chart.values["monitoring"]
    is_scaled = chart.values["worker"]["scaling"]["enabled"]
    assert kinds == (
        ({scaled, "TriggerAuthentication"} if is_scaled else set())
        | ({"ServiceMonitor"} if monitoring["serviceMonitors"] else set())
        | ({"PrometheusRule"} if monitoring["rules"] else set())
    )


def test_a_mistake_in_a_custom_resource_is_found(tools: Path) -> None:
    chart = Chart.render(tools / "helm", CHART / "examples/gpu-jobs.yaml")
    changes: list[tuple[str, list[Any], Any]] = [
        ("ScaledJob", ["spec", "pollInterval"], 5),
        ("ScaledJob", ["spec", "maxReplicaCount"], "many"),
        ("TriggerAuthentication", ["spec", "secretTargetRefs"], []),
        ("ServiceMonitor", ["spec", "endpoints", 0, "pathh"], "/metrics"),
        ("PrometheusRule", ["spec", "groups", 0, "rules", 0, "expression"], "up"),
    ]
    for kind, path, value in changes:
        manifest = json.loads(json.dumps(chart.of(kind)[0]))
        place: Any = manifest
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert mistakes(manifest), path


def test_pods_are_restricted(chart: Chart) -> None:
    """As the standard of pod security has it, and with a root that cannot be written."""
    for component, template in chart.templates().items():
        spec = template["spec"]
        pod = spec["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] == 65532
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, component
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert all("hostPort" not in port for port in container["ports"])
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]["cpu"]
        taken = {"emptyDir", "configMap", "persistentVolumeClaim", "ephemeral"}
        for volume in spec["volumes"]:
            assert volume.keys() - {"name"} <= taken, volume


def test_every_mount_has_its_volume_and_every_folder_that_is_written_one(chart: Chart) -> None:
    for component, template in chart.templates().items():
        volumes = {volume["name"] for volume in template["spec"]["volumes"]}
        [container] = template["spec"]["containers"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts.keys() == volumes
        assert "/tmp" in mounts.values()
        if component == "worker":
            assert "/var/cache/synth2real" in mounts.values()
        root = chart.values["root"]
        if not root.startswith("s3://"):
            assert any(Path(root).is_relative_to(place) for place in mounts.values()), root


def test_no_secret_is_in_a_manifest(chart: Chart) -> None:
    assert not chart.of("Secret")
    for template in chart.templates().values():
        for variable in template["spec"]["containers"][0]["env"]:
            name = variable["name"]
            if any(word in name for word in ("PASSWORD", "TOKEN", "SECRET", "BROKER_U")):
                assert set(variable) == {"name", "valueFrom"}, name
                assert set(variable["valueFrom"]) == {"secretKeyRef"}, name


def test_variables_are_those_that_the_programs_read(chart: Chart) -> None:
    for template in chart.templates().values():
        for variable in template["spec"]["containers"][0]["env"]:
            assert is_known(variable["name"]), variable["name"]


def test_settings_of_workers_are_keys_of_the_sample(chart: Chart) -> None:
    text = chart.one("ConfigMap", "-worker")["data"]["worker.toml"]
    settings = tomllib.loads(text)
    assert keys_of(settings) <= sample_keys("worker.toml")
    assert settings["root"] == chart.values["root"]
    assert settings["device"] == chart.values["worker"]["device"]
    assert ("idle_seconds" in settings) == (chart.values["worker"]["kind"] == "jobs")
    template = chart.templates()["worker"]
    told = template["metadata"]["annotations"]["synth2real/settings"]
    # Other settings are other pods.
    assert told == hashlib.sha256(text.rstrip("\n").encode()).hexdigest()
    [container] = template["spec"]["containers"]
    assert container["command"] == ["worker", "--config", "/etc/synth2real/worker/worker.toml"]
    [port] = container["ports"]
    assert settings["metrics"] == f"0.0.0.0:{port['containerPort']}"


def test_the_dashboard_is_one_and_runs_lie_beside_it(chart: Chart) -> None:
    serve = chart.one("Deployment", "-serve")["spec"]
    assert serve["replicas"] == 1
    assert serve["strategy"] == {"type": "Recreate"}
    [container] = serve["template"]["spec"]["containers"]
    listen = container["command"][container["command"].index("--listen") + 1]
    assert listen == f"0.0.0.0:{container['ports'][0]['containerPort']}"
    assert chart.one("ConfigMap", "-runs")["data"]["demo.toml"].strip() == RUN.read_text().strip()
    [runs] = [m for m in container["volumeMounts"] if m["name"] == "runs"]
    assert runs["mountPath"] == "/etc/synth2real/runs"


def test_who_hangs_is_started_anew_and_who_waits_is_not(chart: Chart) -> None:
    for template in chart.templates().values():
        [container] = template["spec"]["containers"]
        paths = {
            probe: container[probe]["httpGet"]["path"] for probe in container if "Probe" in probe
        }
        assert paths == {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz",
        }
        assert "lifecycle" not in container
        # Storage and broker are asked for four seconds each.
        assert container["readinessProbe"]["timeoutSeconds"] > 8


def test_a_worker_has_time_for_the_images_of_a_content(chart: Chart, tools: Path) -> None:
    worker = chart.values["worker"]
    grace = chart.templates()["worker"]["spec"]["terminationGracePeriodSeconds"]
    assert grace == 60 + 2 * worker["imageSeconds"] * worker["styles"]
    assert grace > worker["imageSeconds"] * worker["styles"]
    given = Chart.render(
        tools / "helm", CHART / "examples/cpu-small.yaml", "--set", "worker.graceSeconds=42"
    )
    assert given.templates()["worker"]["spec"]["terminationGracePeriodSeconds"] == 42


def test_shards_in_hand_are_counted_with_those_that_are_ready(chart: Chart) -> None:
    for scaled in chart.of("ScaledJob", "ScaledObject"):
        [trigger] = scaled["spec"]["triggers"]
        metadata = trigger["metadata"]
        assert trigger["type"] == "rabbitmq"
        # By AMQP only what is ready is seen.
        assert metadata["protocol"] == "http"
        assert metadata["excludeUnacknowledged"] == "false"
        assert metadata["mode"] == "QueueLength"
        assert metadata["queueName"] == queue_of_shards()
        names = {one["metadata"]["name"] for one in chart.of("TriggerAuthentication")}
        assert trigger["authenticationRef"]["name"] in names
        if scaled["kind"] == "ScaledJob":
            assert scaled["spec"]["scalingStrategy"]["strategy"] == "default"
            assert scaled["spec"]["rollout"]["strategy"] == "gradual"
        else:
            target = scaled["spec"]["scaleTargetRef"]["name"]
            assert "replicas" not in chart.one("Deployment", target)["spec"]


def queue_of_shards() -> str:
    sample = tomllib.loads((REPOSITORY / "infra/settings/worker.toml").read_text())
    address = (REPOSITORY / "shared/src/queue/rabbitmq/address.rs").read_text()
    assert 'WorkQueueName::Shards => "shards"' in address
    assert 'format!("{}.{name}", self.config.namespace)' in address
    return f"{sample['broker']['namespace']}.shards"


def test_a_gpu_is_asked_for_where_one_computes(chart: Chart) -> None:
    worker = chart.values["worker"]
    limits = chart.templates()["worker"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits.get("nvidia.com/gpu", 0) == (1 if worker["device"].startswith("cuda") else 0)


def test_machines_that_may_go_are_taken_where_that_is_said(chart: Chart) -> None:
    spec = chart.templates()["worker"]["spec"]
    keys = {one["key"] for one in spec.get("tolerations", [])}
    assert ("cloud.google.com/gke-spot" in keys) == chart.values["worker"]["spot"]


def test_a_deployment_is_moved_a_few_workers_at_a_time(chart: Chart) -> None:
    budgets = chart.of("PodDisruptionBudget")
    if chart.values["worker"]["kind"] == "jobs":
        assert not budgets
        return
    [budget] = budgets
    labels = chart.templates()["worker"]["metadata"]["labels"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_policies_reach_every_pod_and_let_out_no_more_than_is_needed(chart: Chart) -> None:
    policies = chart.of("NetworkPolicy")
    for component, template in chart.templates().items():
        labels = template["metadata"]["labels"]
        [policy] = [
            one
            for one in policies
            if one["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        ]
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        ports = {
            port["port"] for rule in policy["spec"]["egress"] for port in rule.get("ports", [])
        }
        values = chart.values["networkPolicy"]
        assert ports == {53, *values["broker"]["ports"], *values["bucket"]["ports"]}, component
        for rule in policy["spec"]["ingress"]:
            assert [port["port"] for port in rule["ports"]] == ["http"]


def test_metrics_have_the_job_names_that_rules_and_dashboard_know(chart: Chart) -> None:
    names = job_names("prometheus.yml")
    jobs = {one["metadata"]["labels"]["synth2real/job"] for one in chart.of("Service")}
    assert jobs == names
    for monitor in chart.of("ServiceMonitor"):
        assert monitor["spec"]["jobLabel"] == "synth2real/job"
        wanted = monitor["spec"]["selector"]["matchLabels"]
        services = chart.of("Service")
        matching = [one for one in services if wanted.items() <= one["metadata"]["labels"].items()]
        assert len(matching) == 1
        [endpoint] = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in matching[0]["spec"]["ports"]}
    for service in chart.of("Service"):
        component = service["metadata"]["labels"]["app.kubernetes.io/component"]
        template = chart.templates()[component]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        names = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names


def test_rules_and_dashboard_are_those_of_the_project(tools: Path) -> None:
    chart = Chart.render(tools / "helm", CHART / "examples/gpu-jobs.yaml")
    [rule] = chart.of("PrometheusRule")
    assert rule["spec"] == alerts()
    shown = chart.one("ConfigMap", "-dashboard")["data"]["synth2real.json"]
    path = REPOSITORY / "infra/monitoring/grafana/synth2real.json"
    assert json.loads(shown) == json.loads(path.read_text())


def test_a_service_account_stands_for_a_role_or_is_there_already(tools: Path) -> None:
    identity = Chart.render(tools / "helm", CHART / "examples/identity.yaml")
    [account] = identity.of("ServiceAccount")
    assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"]
    for template in identity.templates().values():
        assert template["spec"]["serviceAccountName"] == account["metadata"]["name"]
        assert "envFrom" not in template["spec"]["containers"][0]
        assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    restricted = Chart.render(tools / "helm", CHART / "examples/restricted.yaml")
    assert not restricted.of("ServiceAccount")
    for template in restricted.templates().values():
        assert template["spec"]["serviceAccountName"] == "vision"
        [container] = template["spec"]["containers"]
        assert "@sha256:" in container["image"]
        variables = {one["name"]: one.get("value") for one in container["env"]}
        assert variables["SSL_CERT_FILE"] == "/etc/synth2real/ca/ca.crt"
        assert variables["AWS_ENDPOINT_URL_S3"].startswith("https://")


def test_the_chart_has_the_version_of_the_programs() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    cargo = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())
    version = cargo["workspace"]["package"]["version"]
    assert chart["version"] == chart["appVersion"] == version
    for path in EXAMPLES:
        tag: Manifest = yaml.safe_load(path.read_text()).get("image", {})
        assert tag.get("tag", version) in {version, f"{version}-cuda"}, path


def test_the_page_makes_every_secret_that_values_name(tools: Path) -> None:
    page = (CHART / "README.md").read_text()
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for key in (
        values["broker"]["urlKey"],
        values["serve"]["tokenKey"],
        values["worker"]["scaling"]["managementKey"],
    ):
        assert f"--from-literal={key}=" in page, key
    named = {
        values["broker"]["secret"],
        values["serve"]["tokenSecret"],
        values["worker"]["scaling"]["secret"],
    }
    assert all(f"create secret generic {name} " in page for name in named)
    assert tools.is_dir()
