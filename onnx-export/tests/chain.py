"""An engine for tests: runs an exported folder with plain attention in place of the markers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort

from tests.contracts import valid_contract


def open_session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def plain_attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int
) -> np.ndarray:
    """Returns softmax(Q K^T / sqrt(d)) V in float64; all `(batch, tokens, heads * head_width)`."""

    def split(x: np.ndarray) -> np.ndarray:
        return x.astype(np.float64).reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)

    q, k, v = split(query), split(key), split(value)
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1])
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    result = (weights / weights.sum(-1, keepdims=True)) @ v
    return result.transpose(0, 2, 1, 3).reshape(query.shape).astype(query.dtype)


class Chain:
    """The segments of a model folder, fed from one to the next by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contract = valid_contract(folder / "model.json")
        self.segments = self.contract["segments"]
        self.sessions = [open_session(folder / s["file"]) for s in self.segments]

    def prompt_embedding(self) -> np.ndarray:
        return np.load(self.folder / self.contract["prompt"]["file"])

    def predict(self, sample: np.ndarray, timestep: int) -> np.ndarray:
        """Returns the noise prediction for `(batch, 4, h, w)`."""
        return self.tensors(sample, timestep)["noise_pred"]

    def tensors(self, sample: np.ndarray, timestep: int) -> dict[str, np.ndarray]:
        """Returns every tensor that crosses a cut on the way to the prediction, which is one."""
        tensors = {
            "sample": sample,
            "timestep": np.array([timestep], dtype=np.int64),
            "prompt_embedding": self.prompt_embedding().astype(sample.dtype),
        }
        for segment, session in zip(self.segments, self.sessions, strict=True):
            given = {i["name"]: tensors[i["name"]] for i in segment["inputs"]}
            names = [o["name"] for o in segment["outputs"]]
            tensors.update(zip(names, session.run(names, given), strict=True))
            if layer := segment["layer"]:
                q, k, v = (tensors[layer[role]] for role in ("query", "key", "value"))
                tensors[layer["output"]] = self.attend(q, k, v, layer["heads"])
        return tensors

    def attend(
        self, query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int
    ) -> np.ndarray:
        """Returns what an injected layer makes of its tensors."""
        return plain_attention(query, key, value, heads)

    def encode(self, image: np.ndarray) -> np.ndarray:
        session = open_session(self.folder / self.contract["vae_encoder"]["file"])
        return session.run(["latent"], {"image": image})[0]

    def decode(self, latent: np.ndarray) -> np.ndarray:
        session = open_session(self.folder / self.contract["vae_decoder"]["file"])
        return session.run(["image"], {"latent": latent})[0]


MakeChain = Callable[..., Chain]
