"""Works in an image as its user: the demo, a drain and what is left of it, an audit.

Programs are process 1 of their own. The root file system is read alone, but for /tmp and a volume;
no capability is left. The broker is that of RABBITMQ_URL.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# Longest wait for anything that should happen, in seconds.
PATIENCE = 1800
# Where the volume is: a folder that every Debian has.
VOLUME = "/mnt"
# Mounts, and then the program in the place of the shell, as process 1 and as the image's user.
START = """
set -eu
root=$1 volume=$2 user=$3 group=$4
shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
mount --options remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$volume" "$root/mnt"
exec chroot "$root" setpriv --reuid="$user" --regid="$group" --clear-groups \\
    --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


@dataclass(frozen=True)
class Running:
    """A program that works on a run in an image, and what it says."""

    process: subprocess.Popen[str]
    log: Path
    run: Path

    def wait_for(self, count: int, pattern: str) -> None:
        """Waits until so many files of the run are there."""
        deadline = time.monotonic() + PATIENCE
        while len(list(self.run.rglob(pattern))) < count:
            said = self.log.read_text()
            assert self.process.poll() is None, said
            assert time.monotonic() < deadline, f"no {pattern} in {PATIENCE} s: {said}"
            time.sleep(0.05)

    def stop(self) -> int:
        """Stops it as process 1 and returns its exit code."""
        os.kill(process_1(self.process), signal.SIGTERM)
        return self.process.wait(PATIENCE)


@dataclass(frozen=True)
class Image:
    """An image as its description says that it is run."""

    root: Path
    volume: Path
    user: int
    group: int
    environment: dict[str, str]
    labels: dict[str, str]

    def command(self, *words: str, **variables: str) -> list[str]:
        pairs = (self.environment | variables).items()
        start = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", START]
        start += ["start", str(self.root), str(self.volume), str(self.user), str(self.group)]
        return [*start, "env", "--ignore-environment", *(f"{k}={v}" for k, v in pairs), *words]

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = self.command(*words, **variables)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def start(self, run: str, log: Path, *words: str, **variables: str) -> Running:
        with log.open("w") as output:
            command = self.command(*words, **variables)
            process = subprocess.Popen(command, stdout=output, stderr=output, text=True)
        return Running(process, log, self.volume / "out/runs" / run)


def described(path: Path, root: Path, work: Path) -> Image:
    """The image, after a look at what its description promises."""
    image = json.loads(path.read_text())["OCIv1"]
    config = image["config"]
    assert config["User"] == "65532:65532", config
    assert config["Cmd"] == ["synth2real", "--help"], config
    labels = config["Labels"]
    head = ["git", "-C", str(REPOSITORY), "rev-parse", "HEAD"]
    revision = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    assert labels["org.opencontainers.image.revision"] == revision, labels
    user, group = map(int, config["User"].split(":"))
    volume = work / "volume"
    volume.mkdir()
    os.chown(volume, user, group)
    environment = dict(pair.split("=", 1) for pair in config["Env"])
    return Image(root, volume, user, group, environment, labels)


def files_are_roots(image: Image) -> None:
    """Who runs the programs may change nothing of them; nothing else of the project is there."""
    folder = image.root / "opt/synth2real"
    names = {path.name for path in folder.iterdir()}
    assert {"synth2real", "worker", "libonnxruntime.so", "ThirdPartyNotices.txt"} <= names, names
    for path in folder.iterdir():
        status = path.stat()
        assert (status.st_uid, status.st_mode & 0o022) == (0, 0), path
    assert not (image.root / "build").exists()
    assert (image.root / "var/cache/synth2real").stat().st_uid == image.user


def says_what_it_is_made_of(image: Image) -> None:
    """Licences and bill of materials are where labels say, and its user may read them."""
    bill = image.labels["synth2real.bill-of-materials"]
    licences = image.labels["synth2real.licences"]
    for path in (bill, licences, str(Path(licences).with_name("LICENSE"))):
        assert image.run("test", "-r", path).returncode == 0, path
    own = (REPOSITORY / "LICENSE").read_text()
    assert (image.root / licences.lstrip("/")).with_name("LICENSE").read_text() == own
    reader = [str(REPOSITORY / ".cache/bill/bin/python"), str(REPOSITORY / "tests/deploy/bills.py")]
    subprocess.run([*reader, str(image.root / bill.lstrip("/")), "onnxruntime"], check=True)
    # A licence of each of two crates, and the texts themselves.
    told = (image.root / licences.lstrip("/")).read_text()
    for words in ("- tokio ", "- serde ", "Permission is hereby granted", "Apache License"):
        assert words in told, words


def demo(image: Image, contents: int, name: str) -> str:
    """Copies the demo to the volume, with fewer contents; returns where its settings are there."""
    place = image.volume / "infra" / name
    shutil.copytree(REPOSITORY / "infra/demo", place)
    settings = (place / "run.toml").read_text()
    settings = settings.replace('name = "demo"', f'name = "{name}"')
    # A shard for each content, so that a drained worker leaves something.
    settings = settings.replace('layout = "gta5"', f'layout = "gta5"\nrange = "1..={contents}"')
    settings = settings.replace("contents = 2", "contents = 1")
    (place / "run.toml").write_text(settings)
    return f"{VOLUME}/infra/{name}/run.toml"


def process_1(process: subprocess.Popen[str]) -> int:
    """The process that is number 1 of its own, as this system numbers it."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    [child] = path.read_text().split()
    status = Path(f"/proc/{child}/status").read_text()
    [numbers] = re.findall(r"^NSpid:\s+(.+)$", status, re.MULTILINE)
    assert numbers.split()[-1] == "1", numbers
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE), status
    return int(child)


def is_read_alone(image: Image) -> None:
    refused = image.run("sh", "-c", "id -u; touch /opt/synth2real/a")
    assert refused.stdout == f"{image.user}\n", refused
    assert "Read-only file system" in refused.stderr, refused


def goes_on_after_a_stop(image: Image, contents: int, log: Path) -> None:
    settings = demo(image, contents, "stopped")
    first = image.start("stopped", log, "synth2real", "run", settings)
    first.wait_for(1, "images/*/*.png")
    # Interrupted, after what it was at: as outside of an image.
    assert first.stop() == 130, log.read_text()
    stored = len(list((image.volume / "out/runs/stopped/images").rglob("*.png")))
    assert stored < 3 * contents, "it was stopped when all was done"
    done = image.run("synth2real", "run", settings)
    assert done.returncode == 0, done
    is_whole(image, "stopped", contents)


def goes_on_after_a_drain(image: Image, contents: int, log: Path) -> None:
    settings = demo(image, contents, "drained")
    namespace = '\n[broker]\nnamespace = "of-images"\n'
    (image.volume / "worker.toml").write_text(f'root = "{VOLUME}/out"\n{namespace}')
    with (image.volume / "infra/drained/run.toml").open("a") as run:
        run.write(namespace)
    broker = {"SYNTH2REAL_BROKER_URL": os.environ["RABBITMQ_URL"]}
    launched = image.run("synth2real", "launch", settings, **broker)
    assert launched.returncode == 0, launched
    command = ["worker", "--config", f"{VOLUME}/worker.toml"]
    for images, shards in ((1, 0), (3 * contents, contents)):
        worker = image.start("drained", log, *command, **broker)
        worker.wait_for(images, "images/*/*.png")
        worker.wait_for(shards, "shards/*.parquet")
        assert worker.stop() == 0, log.read_text()
    collected = image.run("synth2real", "collect", "drained", "--root", f"{VOLUME}/out")
    assert collected.returncode == 0, collected
    is_whole(image, "drained", contents)


def is_whole(image: Image, run: str, contents: int) -> None:
    audited = image.run("synth2real", "audit", run, "--root", f"{VOLUME}/out")
    assert audited.returncode == 0, audited
    made = list((image.volume / "out/runs" / run / "images").rglob("*.png"))
    assert len(made) == 3 * contents, made
    assert {path.stat().st_uid for path in made} == {image.user}


def main() -> None:
    description, root, work = map(Path, sys.argv[1:4])
    contents = int(sys.argv[4])
    image = described(description, root, work)
    files_are_roots(image)
    says_what_it_is_made_of(image)
    is_read_alone(image)
    version = image.run("synth2real", "--version")
    assert version.returncode == 0, version
    doctor = image.run("synth2real", "doctor", "--root", f"{VOLUME}/out")
    assert doctor.returncode == 0, doctor
    goes_on_after_a_stop(image, contents, work / "stopped.log")
    goes_on_after_a_drain(image, contents, work / "drained.log")


if __name__ == "__main__":
    main()
