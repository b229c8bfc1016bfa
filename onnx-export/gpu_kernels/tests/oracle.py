"""The attention of injected layers by its definition: whole matrices in float64."""

from __future__ import annotations

import numpy as np

from gpu_kernels.layers import Filter, Layer

Arrays = dict[str, np.ndarray]


def by_heads(array: np.ndarray, layer: Layer) -> np.ndarray:
    """Returns `(heads, tokens, width)` in float64."""
    shape = (layer.tokens, layer.heads, layer.width)
    return array.astype(np.float64).reshape(shape).transpose(1, 0, 2)


def softmax(query: np.ndarray, key: np.ndarray, layer: Layer) -> np.ndarray:
    """Returns the attention of each head, `(heads, tokens, tokens)`."""
    scores = by_heads(query, layer) @ by_heads(key, layer).transpose(0, 2, 1)
    scores = scores / np.sqrt(layer.width)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the cosine of vectors along the last axis."""
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return (one * other).sum(-1) / np.maximum(lengths, 1e-8)


def weak(arrays: Arrays, layer: Layer, attention: np.ndarray, how: Filter) -> np.ndarray:
    """Returns which positions are weak."""
    if how.by_attention:
        matches = attention.sum(0)
    else:
        query, key = (arrays[name].astype(np.float64) for name in ("query", "style_key"))
        matches = query @ key.T
    best = matches.argmax(-1)
    content = by_heads(arrays["content_value"], layer)
    style = by_heads(arrays["style_value"], layer)[:, best]
    if how.over_heads:
        similarity = np.abs(cosine(content, style)).sum(0)
    else:
        values = (arrays["content_value"], arrays["style_value"][best])
        similarity = cosine(*(value.astype(np.float64) for value in values))
    return similarity < np.quantile(similarity, how.fraction)


def injected(arrays: Arrays, layer: Layer, strength: float, how: Filter | None) -> np.ndarray:
    """Returns the attention of an output to its style, `(tokens, heads * width)`."""
    mean = 1 / layer.tokens
    attention = softmax(arrays["query"], arrays["style_key"], layer)
    attention = np.clip((attention - mean) * strength + mean, 0, 1)
    style = by_heads(arrays["style_value"], layer)
    if how is None:
        output = attention @ style
    else:
        is_weak = weak(arrays, layer, attention, how)
        own = softmax(arrays["content_query"], arrays["content_key"], layer)
        content = by_heads(arrays["content_value"], layer)
        if how.exchange == "columns":
            output = attention[..., ~is_weak] @ style[:, ~is_weak]
            output = output + own[..., is_weak] @ content[:, is_weak]
        else:
            output = np.where(is_weak[:, None], own @ content, attention @ style)
    return output.transpose(1, 0, 2).reshape(layer.tokens, layer.heads * layer.width)
