"""The fixture of the methods without a model, worked out from their definitions.

    python -m tests.baselines          writes ../tests/fixtures/baselines

CIELAB and histogram matching come from scikit-image, Fourier domain adaptation from the formula, by
whole transforms. Levels are those before rounding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage.color import lab2rgb, rgb2lab
from skimage.exposure import match_histograms

FIXTURE = Path(__file__).parents[2] / "tests/fixtures/baselines/baselines.npz"
SIZE = (24, 32)
BETAS = (0.0, 0.05, 0.2, 0.5)
# A spread below it is that of one value: greys are up to 0.005 from zero by the digits of CIELAB.
FLAT = 0.01


def picture(seed: int, dark: tuple[int, int, int], light: tuple[int, int, int]) -> np.ndarray:
    """Returns an image of bytes between two colours: a slope, stripes and grain."""
    rng = np.random.default_rng(seed)
    height, width = SIZE
    y, x = np.mgrid[:height, :width]
    slope = (y / height + x / width) / 2
    stripes = 0.2 * np.sin(2 * np.pi * (3 * x / width + seed * y / height))
    grain = rng.normal(0.0, 0.1, (*SIZE, 3))
    shares = np.clip((slope + stripes)[..., np.newaxis] + grain, 0.0, 1.0)
    levels = np.array(dark) + shares * (np.array(light) - np.array(dark))
    return np.rint(levels).astype(np.uint8)


def reinhard(content: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Returns the levels of `content` with the moments of `style` in CIELAB.

    **Source:** Reinhard et al. 2001, eqs. 10 and 11.
    """
    own, taken = rgb2lab(content), rgb2lab(style)
    spread = own.std((0, 1))
    scale = np.divide(taken.std((0, 1)), spread, out=np.zeros(3), where=spread > FLAT)
    own = (own - own.mean((0, 1))) * scale + taken.mean((0, 1))
    own[..., 0] = np.clip(own[..., 0], 0.0, 100.0)
    return 255 * lab2rgb(own)


def histogram(content: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Returns the levels of `content` with the histograms of `style`, none of them cut off."""
    return match_histograms(content.astype(float), style.astype(float), channel_axis=-1)


def fda(content: np.ndarray, style: np.ndarray, beta: float) -> np.ndarray:
    """Returns the levels of `content` with the low amplitudes of `style`.

    **Source:** Yang and Soatto 2020, eqs. 1 to 3 (arXiv:2004.05498).
    """
    axes = (0, 1)
    own, taken = (np.fft.fft2(image.astype(float), axes=axes) for image in (content, style))
    height, width, _ = content.shape
    reach = int(np.floor(min(height, width) * beta))
    y = np.abs(np.fft.fftfreq(height, 1 / height))[:, np.newaxis, np.newaxis]
    x = np.abs(np.fft.fftfreq(width, 1 / width))[np.newaxis, :, np.newaxis]
    is_low = (y <= reach) & (x <= reach)
    amplitude = np.where(is_low, np.abs(taken), np.abs(own))
    changed = np.fft.ifft2(amplitude * np.exp(1j * np.angle(own)), axes=axes)
    return np.clip(changed.real, 0.0, 255.0)


def make() -> dict[str, np.ndarray]:
    """Returns the arrays of the fixture."""
    content = picture(1, (10, 30, 20), (240, 200, 220))
    style = picture(2, (5, 0, 30), (120, 90, 160))
    arrays = {
        "content": content,
        "style": style,
        "reinhard": reinhard(content, style),
        "histogram": histogram(content, style),
    }
    arrays |= {f"fda_{beta}": fda(content, style, beta) for beta in BETAS}
    return arrays


def main() -> None:
    """Writes the fixture."""
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    # One member for an array, so that the archive opens wherever .npz is read.
    np.savez_compressed(FIXTURE, allow_pickle=False, **make())


if __name__ == "__main__":
    main()
