"""The tokens of a prompt, from a tokenizer that is whole and belongs to its text encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx_export.configs import listed
from onnx_export.errors import CheckpointError, UsageError, first_line
from onnx_export.files import is_named, names_in, read_json, small_file
from onnx_export.loading import quiet

TOKENS = 77
ADVICE = "download the tokenizer again, or give --prompt-embedding NPY"
END_OF_WORD = "</w>"

# The vocabulary of every Stable Diffusion 1.x and 2.x.
CLIP_SIZE, CLIP_BEGIN, CLIP_END = 49408, 49406, 49407
# What prompts were padded with in training, by the text encoder's width.
CLIP_PADDING = {768: 49407, 1024: 0}

# What a tokenizer may have, and is read of it.
FILES = (
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
)

DEFAULT_MARKS = {
    "bos_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
}


@dataclass(frozen=True)
class Tokens:
    """A prompt's tokens and their words, padded to 77; what comes first, last, and after that."""

    ids: tuple[int, ...]
    words: tuple[str, ...]
    num_said: int
    begin: int
    end: int

    def __str__(self) -> str:
        """Returns them as people read them, padding counted."""
        pairs = zip(self.ids[: self.num_said], self.words, strict=False)
        said = ", ".join(f"{token} {word}" for token, word in pairs)
        num_padding = len(self.ids) - self.num_said
        if num_padding > 0:
            said += f", then {num_padding} times {self.ids[-1]} {self.words[-1]}"
        return f"{len(self.ids)} tokens: {said}"


@dataclass(frozen=True)
class Vocabulary:
    """Every token's number, and the pairs that are merged into longer tokens."""

    path: Path
    tokens: dict[str, int]
    merges: list[tuple[str, str]]
    added: frozenset[str]


@dataclass(frozen=True)
class TextEncoderSize:
    """What a tokenizer must fit: the rows of the embedding table, and their width."""

    rows: int
    width: int


def tokenizer_files(folder: Path) -> list[Path]:
    """Returns the files of a tokenizer: none if there is no such folder."""
    return [folder / name for name in FILES if is_named(folder / name)]


def tokens_of_nothing(encoder: TextEncoderSize) -> Tokens | None:
    """Returns the tokens of the empty prompt, which need no tokenizer where CLIP's are used."""
    if encoder.rows != CLIP_SIZE or encoder.width not in CLIP_PADDING:
        return None
    padding = CLIP_PADDING[encoder.width]
    begin, end = (DEFAULT_MARKS[role] for role in ("bos_token", "eos_token"))
    num_padding = TOKENS - 2
    return Tokens(
        ids=(CLIP_BEGIN, CLIP_END, *[padding] * num_padding),
        words=(begin, end, *[end if padding == CLIP_END else "!"] * num_padding),
        num_said=2,
        begin=CLIP_BEGIN,
        end=CLIP_END,
    )


def tokens_of(folder: Path, text: str, encoder: TextEncoderSize) -> Tokens:
    """Returns the tokens of `text`.

    Raises `CheckpointError` if the tokenizer is not whole or is another text encoder's, and
    `UsageError` if it cannot say `text`.
    """
    config = read_json(folder / "tokenizer_config.json")
    kind = config.get("tokenizer_class", "CLIPTokenizer")
    if not str(kind).startswith("CLIPTokenizer"):
        raise CheckpointError(
            f"{folder / 'tokenizer_config.json'} has tokenizer_class {kind!r}, and only "
            f"CLIPTokenizer is supported: {ADVICE}"
        )
    marks = special_tokens(folder, config)
    vocabulary = vocabulary_of(folder)
    refuse_vocabulary(vocabulary, marks, encoder)
    ids = {role: vocabulary.tokens[word] for role, word in marks.items()}
    refuse_unknown_marks(folder, ids, encoder)
    return encoded(folder, text, ids, len(vocabulary.tokens))


def special_tokens(folder: Path, config: dict[str, Any]) -> dict[str, str]:
    """Returns the tokens of the four roles: as `special_tokens_map.json` says, then the config."""
    path = folder / "special_tokens_map.json"
    said = dict(config)
    if is_named(path):
        said |= read_json(path)
    elif "special_tokens_map_file" in config and "backend" not in config:
        raise CheckpointError(
            f"{path} is missing, which tokenizer_config.json names (it says what prompts are "
            f"padded with), and {folder} has {names_in(folder)}: {ADVICE}"
        )
    marks = {}
    for role, usual in DEFAULT_MARKS.items():
        mark = said.get(role, usual)
        mark = mark.get("content") if isinstance(mark, dict) else mark
        if not isinstance(mark, str):
            raise CheckpointError(f"{folder} has {role} {mark!r}, which is no token: {ADVICE}")
        marks[role] = mark
    return marks


def vocabulary_of(folder: Path) -> Vocabulary:
    """Returns the vocabulary in `tokenizer.json`, or in `vocab.json` with its `merges.txt`."""
    paths = [folder / name for name in ("vocab.json", "merges.txt")]
    pair, whole = [is_named(path) for path in paths], folder / "tokenizer.json"
    if not any(pair) and not is_named(whole):
        raise CheckpointError(
            f"{folder} has no vocabulary: expected vocab.json and merges.txt, or tokenizer.json, "
            f"found {names_in(folder)}: {ADVICE}"
        )
    found = []
    if is_named(whole):
        found.append(vocabulary_of_one_file(whole))
    if any(pair):
        found.append(vocabulary_of_pair(*paths))
    if len(found) == 2 and found[0].tokens != found[1].tokens:
        raise CheckpointError(
            f"{whole} and {paths[0]} have different vocabularies ({len(found[0].tokens)} and "
            f"{len(found[1].tokens)} tokens): {ADVICE}"
        )
    return found[0]


def vocabulary_of_one_file(path: Path) -> Vocabulary:
    settings = read_json(path)
    try:
        model = settings["model"]
        tokens = dict(model["vocab"])
        merges = [pair_of(merge) for merge in model["merges"]]
        special = {each["content"]: each["id"] for each in settings.get("added_tokens") or ()}
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} has no vocabulary of pairs that are merged ({type(error).__name__}: "
            f"{first_line(error)}): {ADVICE}"
        ) from error
    return Vocabulary(path, tokens | special, merges, frozenset(special))


def vocabulary_of_pair(vocabulary: Path, merges: Path) -> Vocabulary:
    tokens = read_json(vocabulary)
    lines = small_file(merges).read_bytes().decode("utf-8", errors="replace").splitlines()
    pairs = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#version"):
            continue
        try:
            pairs.append(pair_of(line))
        except ValueError:
            raise CheckpointError(
                f"{merges} has {line[:40]!r} in line {number}, expected two parts of a token: "
                f"{ADVICE}"
            ) from None
    added = vocabulary.with_name("added_tokens.json")
    extra = read_json(added) if is_named(added) else {}
    return Vocabulary(vocabulary, tokens | extra, pairs, frozenset(extra))


def pair_of(merge: Any) -> tuple[str, str]:
    """Returns the two parts that are merged; raises `ValueError` if they are not two."""
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second


def refuse_vocabulary(
    vocabulary: Vocabulary, marks: dict[str, str], encoder: TextEncoderSize
) -> None:
    """Raises unless the tokens are numbered without gaps, can all be made, and fit the encoder."""
    path, tokens = vocabulary.path, vocabulary.tokens
    for role, mark in marks.items():
        if mark not in tokens:
            raise CheckpointError(
                f"{path} lacks {mark!r}, the tokenizer's {role} (it has {len(tokens)} tokens): "
                f"{ADVICE}"
            )
    if len(tokens) != encoder.rows:
        raise CheckpointError(
            f"{path} has {len(tokens)} tokens, and the text encoder has {encoder.rows} rows to "
            "look them up in: use the tokenizer that belongs to it, or give --prompt-embedding NPY"
        )
    if {type(number) for number in tokens.values()} != {int} or sorted(tokens.values()) != list(
        range(len(tokens))
    ):
        raise CheckpointError(
            f"{path} does not number its tokens from 0 to {len(tokens) - 1}, each once: {ADVICE}"
        )
    made = {first + second for first, second in vocabulary.merges}
    if strange := sorted(made - tokens.keys()):
        raise CheckpointError(
            f"{path} lacks {listed(strange)}, which its merges make: they belong to different "
            f"tokenizers: {ADVICE}"
        )
    known = made | set(marks.values()) | vocabulary.added
    unmade = [t for t in tokens if t not in known and len(t.removesuffix(END_OF_WORD)) > 1]
    if unmade:
        raise CheckpointError(
            f"{path} has {len(unmade)} tokens that none of its {len(vocabulary.merges)} merges "
            f"makes, {unmade[0]!r} among them: merges.txt is cut short or another's: {ADVICE}"
        )


def refuse_unknown_marks(folder: Path, ids: dict[str, int], encoder: TextEncoderSize) -> None:
    """Raises if the tokens that every prompt has are not those that CLIP was trained with."""
    if encoder.rows != CLIP_SIZE:
        return
    expected = {"bos_token": CLIP_BEGIN, "eos_token": CLIP_END}
    if encoder.width in CLIP_PADDING:
        expected["pad_token"] = CLIP_PADDING[encoder.width]
    for role, token in expected.items():
        if ids[role] != token:
            raise CheckpointError(
                f"{folder} has token {ids[role]} as {role}, and text encoders of CLIP with a width "
                f"of {encoder.width} were trained with {token}: {ADVICE}"
            )


def encoded(folder: Path, text: str, ids: dict[str, int], num_tokens: int) -> Tokens:
    """Returns the library's tokens of `text`, which must have the form they have in training."""
    from transformers import CLIPTokenizer

    try:
        with quiet():
            tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
            found = list(tokenizer(text).input_ids)
    except Exception as error:
        raise CheckpointError(
            f"{folder} cannot be loaded: {first_line(error)}: {ADVICE}"
        ) from error
    marks = {role: getattr(tokenizer, f"{role}_id") for role in ids}
    if marks != ids or len(tokenizer) != num_tokens:
        raise CheckpointError(
            f"{folder} is read as {len(tokenizer)} tokens with {marks}, and its files say "
            f"{num_tokens} with {ids}: {ADVICE}"
        )
    begin, end, padding = ids["bos_token"], ids["eos_token"], ids["pad_token"]
    said = found[1:-1]
    if len(found) < 2 or (found[0], found[-1]) != (begin, end) or (said and not text.strip()):
        raise CheckpointError(
            f"{folder} makes the tokens {found[:5]} of the prompt {text!r}, expected {begin} first "
            f"and {end} last: {ADVICE}"
        )
    if len(found) > TOKENS:
        raise UsageError(
            f"--prompt has {len(found)} tokens, and the text encoder takes {TOKENS}: shorten it"
        )
    if {begin, end, ids["unk_token"]} & set(said):
        raise UsageError(
            f"--prompt {text!r} has a part that the tokenizer does not know: leave it out"
        )
    padded = (*found, *[padding] * (TOKENS - len(found)))
    words = tuple(tokenizer.convert_ids_to_tokens(list(padded)))
    return Tokens(padded, words, len(found), begin, end)
