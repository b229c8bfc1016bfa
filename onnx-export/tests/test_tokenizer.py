"""The prompt's tokens are shown, and are those that the text encoder was trained with."""

from __future__ import annotations

import json
import shutil
from itertools import islice, product
from pathlib import Path
from typing import Any

import pytest
from transformers import CLIPTokenizer

from onnx_export.errors import CheckpointError, UsageError
from onnx_export.tokenizer import TextEncoderSize, tokens_of
from tests.refusals import Accepted, change, cut, refused

BEGIN, END = 188, 189
SMALL = TextEncoderSize(190, 24)
MARKS = ("<|startoftext|>", "<|endoftext|>")


def write_vocabulary(folder: Path, words: list[str], merges: list[tuple[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(numbers))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def clip(workspace: Path) -> Path:
    """A tokenizer as large as Stable Diffusion's and built as it is, with merges made up."""
    folder = workspace / "clip-tokenizer"
    # CLIP's 256 signs for bytes begin with those that are printed as they are.
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    signs = [chr(code) for code in (*printed, *range(256, 256 + 256 - len(printed)))]
    ends = [f"{sign}</w>" for sign in signs]
    merges = list(islice(product(signs, ends), 49408 - 2 * 256 - 2))
    words = [*signs, *ends, *(first + second for first, second in merges), *MARKS]
    write_vocabulary(folder, words, merges)
    settings = {"tokenizer_class": "CLIPTokenizer", "pad_token": "<|endoftext|>"}
    settings["special_tokens_map_file"] = "./special_tokens_map.json"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    begin = {"content": MARKS[0], "lstrip": False, "normalized": True, "rstrip": False}
    (folder / "special_tokens_map.json").write_text(json.dumps({"bos_token": begin}))
    return folder


def test_an_empty_tokenizer_is_refused(capsys: pytest.CaptureFixture[str], copy: Path) -> None:
    tokenizer = copy / "tokenizer"
    shutil.rmtree(tokenizer)
    tokenizer.mkdir()
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{tokenizer / 'tokenizer_config.json'} is missing, and {tokenizer} has nothing" in line
    (tokenizer / "tokenizer_config.json").write_text("{}")
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{tokenizer} has no vocabulary: expected vocab.json and merges.txt" in line
    assert "found tokenizer_config.json: download the tokenizer again" in line
    assert "--prompt-embedding NPY" in line
    tokenizer.joinpath("tokenizer_config.json").unlink()
    tokenizer.rmdir()
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy} has no tokenizer: download it, or give --prompt-embedding NPY" in line


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
def test_half_a_tokenizer_is_refused(
    capsys: pytest.CaptureFixture[str], copy: Path, name: str
) -> None:
    (copy / "tokenizer" / name).unlink()
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / 'tokenizer' / name} is missing" in line


def test_a_tokenizer_of_another_text_encoder_is_refused(
    capsys: pytest.CaptureFixture[str], copy: Path
) -> None:
    letters = [*"abc", "a</w>", "b</w>", "c</w>", *MARKS]
    write_vocabulary(copy / "tokenizer", letters, [])
    code, line = refused(capsys, copy)
    assert code == 3
    assert "vocab.json has 8 tokens, and the text encoder has 190 rows" in line


def test_a_vocabulary_must_have_its_marks_and_number_its_tokens(tmp_path: Path, sd2: Path) -> None:
    folder = shutil.copytree(sd2 / "tokenizer", tmp_path / "tokenizer")
    vocabulary = json.loads((folder / "vocab.json").read_text())

    def reason(changed: dict[str, Any]) -> str:
        (folder / "vocab.json").write_text(json.dumps(changed))
        with pytest.raises(CheckpointError) as error:
            tokens_of(folder, "", SMALL)
        return str(error.value)

    renamed = {word.replace("endoftext", "end"): n for word, n in vocabulary.items()}
    assert "lacks '<|endoftext|>', the tokenizer's eos_token" in reason(renamed)
    assert "does not number its tokens from 0 to 189" in reason(vocabulary | {"a": 7})
    assert "does not number its tokens from 0 to 189" in reason(vocabulary | {"a": "7"})
    longer = {("ab" if word == "a" else word): n for word, n in vocabulary.items()}
    assert "has 1 tokens that none of its 0 merges makes, 'ab' among them" in reason(longer)


def test_merges_that_are_cut_short_are_refused(clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip, tmp_path / "tokenizer")
    merges = folder / "merges.txt"
    whole = merges.read_text()
    size = TextEncoderSize(49408, 768)
    merges.write_text("\n".join(whole.splitlines()[:40000]))
    with pytest.raises(CheckpointError, match=r"tokens that none of its 39999 merges makes"):
        tokens_of(folder, "", size)
    merges.write_text(whole)
    cut(merges, 3)
    with pytest.raises(CheckpointError, match=r"lacks .*, which its merges make"):
        tokens_of(folder, "", size)
    merges.write_text(whole + "alone\n")
    with pytest.raises(CheckpointError, match=r"has 'alone' in line 48896, expected two parts"):
        tokens_of(folder, "", size)


def test_the_empty_prompt_of_stable_diffusion_has_the_known_tokens(
    clip: Path, tmp_path: Path
) -> None:
    first = tokens_of(clip, "", TextEncoderSize(49408, 768))
    assert first.ids == (49406, *76 * [49407])
    assert str(first) == (
        "77 tokens: 49406 <|startoftext|>, 49407 <|endoftext|>, then 75 times 49407 <|endoftext|>"
    )
    with pytest.raises(CheckpointError, match=r"has token 49407 as pad_token, .* trained with 0"):
        tokens_of(clip, "", TextEncoderSize(49408, 1024))

    second = shutil.copytree(clip, tmp_path / "tokenizer")
    change(second / "special_tokens_map.json", pad_token="!")
    assert tokens_of(second, "", TextEncoderSize(49408, 1024)).ids == (49406, 49407, *75 * [0])
    with pytest.raises(CheckpointError, match=r"has token 0 as pad_token, .* trained with 49407"):
        tokens_of(second, "", TextEncoderSize(49408, 768))


def test_clip_with_other_ends_is_refused(clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip, tmp_path / "tokenizer")
    vocabulary = json.loads((folder / "vocab.json").read_text())
    vocabulary |= {MARKS[0]: 49407, MARKS[1]: 49406}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    with pytest.raises(CheckpointError, match=r"has token 49407 as bos_token, .* 49406"):
        tokens_of(folder, "", TextEncoderSize(49408, 768))


def test_what_says_how_prompts_are_padded_must_be_there(clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip, tmp_path / "tokenizer")
    (folder / "special_tokens_map.json").unlink()
    with pytest.raises(CheckpointError, match=r"special_tokens_map.json is missing, which token"):
        tokens_of(folder, "", TextEncoderSize(49408, 768))


def test_a_tokenizer_in_one_file_gives_the_same_tokens(sd2: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tokenizer"
    CLIPTokenizer.from_pretrained(sd2 / "tokenizer").save_pretrained(folder)
    assert not (folder / "vocab.json").exists()
    expected = tokens_of(sd2 / "tokenizer", "a street", SMALL)
    assert tokens_of(folder, "a street", SMALL) == expected
    assert expected.ids[0] == BEGIN
    assert expected.ids[expected.num_said - 1 :] == (77 - expected.num_said + 1) * (END,)

    for name in ("vocab.json", "merges.txt"):
        shutil.copy(sd2 / "tokenizer" / name, folder)
    assert tokens_of(folder, "a street", SMALL) == expected
    vocabulary = json.loads((folder / "vocab.json").read_text())
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    with pytest.raises(CheckpointError, match="have different vocabularies"):
        tokens_of(folder, "a street", SMALL)
    (folder / "vocab.json").unlink()
    (folder / "tokenizer.json").write_text('{"model": {"type": "Unigram", "vocab": []}}')
    with pytest.raises(CheckpointError, match="has no vocabulary of pairs"):
        tokens_of(folder, "a street", SMALL)


def test_a_prompt_is_never_cut_or_guessed(sd2: Path) -> None:
    longest = " ".join(75 * ["a"])
    assert tokens_of(sd2 / "tokenizer", longest, SMALL).num_said == 77
    with pytest.raises(UsageError, match=r"--prompt has 78 tokens, .* takes 77: shorten it"):
        tokens_of(sd2 / "tokenizer", f"{longest} a", SMALL)
    with pytest.raises(UsageError, match=r"'na\\xefve' has a part that the tokenizer|'naïve' has"):
        tokens_of(sd2 / "tokenizer", "naïve", SMALL)
    with pytest.raises(UsageError, match="has a part that the tokenizer does not know"):
        tokens_of(sd2 / "tokenizer", "a <|endoftext|> b", SMALL)


def test_the_tokens_of_the_prompt_are_shown(accepted: Accepted, sd2: Path) -> None:
    assert accepted(sd2)[0] == (
        "the prompt '' is 77 tokens: 188 <|startoftext|>, 189 <|endoftext|>, "
        "then 75 times 189 <|endoftext|>"
    )
    assert (
        "158 a</w>, 159 b</w>, 189 <|endoftext|>, then 73 times" in accepted(sd2, prompt="a b")[0]
    )
