"""What cannot be exported is refused in one line, and nothing half-made is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnx_export import export as export_module
from onnx_export.cli import main
from onnx_export.contract import ModelContract
from onnx_export.errors import CheckpointError, exit_code_of
from onnx_export.export import Settings, export
from onnx_export.verify import Expected, verify
from onnx_export.write import whole_folder
from tests.refusals import change, refused


def test_a_folder_that_is_no_checkpoint_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, line = refused(capsys, tmp_path / "nothing")
    assert code == 3
    assert f"{tmp_path / 'nothing'} is not a folder" in line
    (tmp_path / "empty").mkdir()
    code, line = refused(capsys, tmp_path / "empty")
    assert code == 3
    assert "unet/config.json is missing" in line


def test_a_model_that_predicts_the_image_itself_is_refused(
    capsys: pytest.CaptureFixture[str], copy: Path
) -> None:
    change(copy / "scheduler/scheduler_config.json", prediction_type="sample")
    code, line = refused(capsys, copy)
    assert code == 3
    assert "scheduler_config.json has prediction_type 'sample'" in line
    assert "only 'epsilon' or 'v_prediction' is supported" in line


@pytest.mark.parametrize(
    ("kind", "words"),
    [("pipe", "is not a file"), ("device", "is not a file"), ("sparse", "such a file has at most")],
)
def test_settings_that_are_no_file_or_have_no_end_are_refused_at_once(
    capsys: pytest.CaptureFixture[str], copy: Path, kind: str, words: str
) -> None:
    path = copy / "unet/config.json"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{path}" in line
    assert words in line


@pytest.mark.parametrize(
    ("part", "settings"),
    [
        ("unet/config.json", {"in_channels": 9}),
        ("unet/config.json", {"addition_embed_type": "text_time"}),
        ("unet/config.json", {"class_embed_type": "timestep"}),
        ("unet/config.json", {"up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"]}),
        ("vae/config.json", {"latent_channels": 16}),
        ("scheduler/scheduler_config.json", {"trained_betas": [0.1, 0.2]}),
        ("scheduler/scheduler_config.json", {"beta_schedule": "linear"}),
    ],
)
def test_settings_outside_the_method_are_named(
    capsys: pytest.CaptureFixture[str], copy: Path, part: str, settings: dict[str, Any]
) -> None:
    change(copy / part, **settings)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / part} has {next(iter(settings))}" in line


def test_a_checkpoint_without_text_encoder_needs_an_embedding(
    capsys: pytest.CaptureFixture[str], copy: Path
) -> None:
    shutil.rmtree(copy / "text_encoder")
    code, line = refused(capsys, copy)
    assert code == 3
    assert "give --prompt-embedding NPY" in line


def test_an_embedding_of_another_model_is_refused(
    capsys: pytest.CaptureFixture[str], copy: Path
) -> None:
    wide = copy / "wide.npy"
    np.save(wide, np.zeros((1, 77, 768), np.float32))
    code, line = refused(capsys, copy, "--prompt-embedding", wide)
    assert code == 3
    assert "(1, 77, 768)" in line
    assert "(1, 77, 24)" in line
    wide.write_text("no array")
    code, line = refused(capsys, copy, "--prompt-embedding", wide)
    assert code == 3
    assert f"{wide} cannot be read as .npy" in line


def test_a_size_the_unet_cannot_halve_is_refused(
    capsys: pytest.CaptureFixture[str], sd15: Path, prompt_file: Path
) -> None:
    code, line = refused(capsys, sd15, "--prompt-embedding", prompt_file, size=(64, 100))
    assert code == 2
    assert "--width 100 is not a multiple of 64" in line


def test_damaged_weights_are_named(capsys: pytest.CaptureFixture[str], copy: Path) -> None:
    weights = copy / "unet/diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{weights} is truncated: it has 1000 bytes" in line
    weights.unlink()
    code, line = refused(capsys, copy)
    assert code == 3
    assert "has no diffusion_pytorch_model.safetensors" in line


def test_weights_that_lack_a_tensor_are_refused(
    capsys: pytest.CaptureFixture[str], copy: Path
) -> None:
    from safetensors.torch import load_file, save_file

    weights = copy / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    del tensors["conv_out.weight"]
    save_file(tensors, weights)
    code, line = refused(capsys, copy)
    assert code == 3
    assert "conv_out.weight" in line


def test_an_output_that_cannot_be_made_is_an_environment_problem(
    capsys: pytest.CaptureFixture[str], sd2: Path, prompt_file: Path
) -> None:
    out = prompt_file / "out"
    code = main([str(sd2), "--out", str(out), "--height", "64", "--width", "128"])
    assert code == 3
    assert prompt_file.name in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "options",
    [
        ("--dtype", "fp64"),
        ("--dtype", "fp16", "--weights", "fp32"),
        ("--vae-dtype", "fp16", "--weights", "fp32"),
        ("--prompt", "a", "--prompt-embedding", "b.npy"),
    ],
)
def test_wrong_options_are_wrong_usage(sd2: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    given = [str(sd2), "--out", str(tmp_path / "out"), "--height", "64", "--width", "64", *options]
    with pytest.raises(SystemExit) as exit_:
        main(given)
    assert exit_.value.code == 2


def test_a_folder_with_something_in_it_is_not_overwritten(
    capsys: pytest.CaptureFixture[str], sd2: Path, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("keep")
    arguments = [str(sd2), "--out", str(tmp_path), "--height", "64", "--width", "128"]
    assert main(arguments) == 2
    assert "is not empty: name another folder or add --force" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "keep"


def test_an_export_that_is_not_the_checkpoint_leaves_nothing(
    sd2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify_damaged(folder: Path, contract: ModelContract, wanted: Expected) -> None:
        assert not (folder / "model.json").exists()
        data = folder / "unet/segment_1.data"
        data.write_bytes(np.zeros(data.stat().st_size // 4, np.float32).tobytes())
        verify(folder, contract, wanted)

    monkeypatch.setattr(export_module, "verify", verify_damaged)
    with pytest.raises(CheckpointError, match=r"the exported UNet is .* away from"):
        export(Settings(sd2, tmp_path / "out", 64, 128))
    assert list(tmp_path.iterdir()) == []


def test_force_replaces_nothing_but_an_earlier_export(
    capsys: pytest.CaptureFixture[str], sd2: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "precious").write_text("keep")
    arguments = [str(sd2), "--height", "64", "--width", "128", "--force", "--out"]
    assert main([*arguments, str(home)]) == 2
    assert "is not empty and has no model.json" in capsys.readouterr().err
    assert (home / "precious").read_text() == "keep"


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        (".", "has the checkpoint"),
        ("..", "has the checkpoint"),
        ("../checkpoint", "has the checkpoint"),
        ("vae", "is a part of the checkpoint"),
        ("unet/onnx", "is a part of the checkpoint"),
    ],
)
def test_a_checkpoint_is_not_replaced_by_its_own_export(
    capsys: pytest.CaptureFixture[str], copy: Path, out: str, reason: str
) -> None:
    (copy / "model.json").touch()
    code = main(
        [str(copy), "--height", "64", "--width", "128", "--force", "--out", str(copy / out)]
    )
    assert code == 2
    assert reason in capsys.readouterr().err
    assert (copy / "vae/config.json").is_file()


def test_a_link_that_leads_nowhere_is_no_place_to_write(
    capsys: pytest.CaptureFixture[str], sd2: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "unmounted")
    arguments = [str(sd2), "--height", "64", "--width", "128", "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "is a link to" in capsys.readouterr().err
    assert not (tmp_path / "unmounted").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_export_that_is_ended_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    program = f"""
import sys
from pathlib import Path
from onnx_export.errors import exit_code_of
from onnx_export.verify import Expected
from onnx_export.write import whole_folder

def run():
    with whole_folder(Path({str(tmp_path / "out")!r}), "model.json", False) as folder:
        (folder / "model.json").touch()
        print("begun", flush=True)
        sys.stdin.read()

sys.exit(exit_code_of("onnx_export", run))
"""
    command = [sys.executable, "-c", program]
    pipe = subprocess.PIPE

    def heed() -> None:
        # Who runs the tests may ignore it, as nohup does, and what is started inherits that.
        signal.signal(number, signal.SIG_DFL)

    with subprocess.Popen(
        command, text=True, preexec_fn=heed, stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        assert process.wait(timeout=60) == 128 + number
        assert process.stderr.read().startswith("onnx_export: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (MemoryError("std::bad_alloc"), 3, "memory is not enough (std::bad_alloc)"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 3, "memory is not enough"),
        (OSError(28, "No space left on device", "model.data"), 3, "No space left on device"),
    ],
)
def test_what_the_machine_lacks_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int, said: str
) -> None:
    def fail() -> None:
        raise error

    assert exit_code_of("onnx_export", fail) == code
    line = capsys.readouterr().err.strip()
    assert said in line
    assert "\n" not in line


def test_a_mistake_of_the_program_is_not_taken_for_the_checkpoints() -> None:
    def fail() -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError):
        exit_code_of("onnx_export", fail)


def test_force_replaces_a_folder_only_when_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(RuntimeError), whole_folder(target, "old", force=True):
        raise RuntimeError
    assert [p.name for p in target.iterdir()] == ["old"]
    with whole_folder(target, "old", force=True) as folder:
        (folder / "new").touch()
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
