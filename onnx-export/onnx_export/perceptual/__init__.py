"""Exports LPIPS v0.1, the learned perceptual distance between two images.

    python -m onnx_export.perceptual --net alex --backbone alexnet-owt-7be5be79.pth --out DIR

The backbone is torchvision's (alexnet, vgg16 or squeezenet1_1, trained on ImageNet); the linear
weights come with the `lpips` package. DIR gets `perceptual.onnx`, `perceptual.data` (the weights)
and `perceptual.json` (the contract). The graph takes `first` and `second`, both
`(batch, 3, height, width)` float32 in 0..1 and of one size, at least 32 x 32, and gives `distance`,
`(batch,)` float32: 0 for equal images.

`network` makes the network, `export` writes it, `cli` asks for it.
"""

from __future__ import annotations

# What is chosen by --net, with torchvision's files, of which two were saved anew with the same
# weights; the first of each can be had today. A name ends with the start of the file's SHA-256.
BACKBONES = {
    "alex": ("alexnet-owt-7be5be79.pth", "alexnet-owt-4df8aa71.pth"),
    "vgg": ("vgg16-397923af.pth",),
    "squeeze": ("squeezenet1_1-b8a52dc0.pth", "squeezenet1_1-f364aa15.pth"),
}
