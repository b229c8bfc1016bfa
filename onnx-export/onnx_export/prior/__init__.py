"""Exports a network whose features tell the classes of photographs without labels.

    python -m onnx_export.prior CHECKPOINT --height 512 --width 1024 --out DIR

CHECKPOINT is a DINOv2 without registers in transformers' layout (`config.json` and
`model.safetensors`), such as facebook/dinov2-small. Height and width are those of the images that
a model converts; the network takes them at the next multiples of its patches. DIR gets
`prior.onnx`, `prior.data` (the weights) and `prior.json` (the contract). The graph takes `image`,
`(1, 3, height, width)` float32 in 0..1, and gives `features`, `(1, patches, num_features)`
float32, row by row, after the last normalisation.

`network` makes the network, `export` writes it, `cli` asks for it.
"""
