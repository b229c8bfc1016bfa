"""Exports a network that turns images into feature vectors, for FID and KID.

    python -m onnx_export.features pt_inception-2015-12-05-6726825d.pth --out DIR

writes pytorch-fid's Inception-v3 with its own resize inside: figures made with it may be held
against published ones. Any other network goes by its factory and its state dict:

    python -m onnx_export.features resnet18-f37072fd.pth --out DIR \\
        --extractor torchvision.models:resnet18 --layer avgpool --resize 224x224 \\
        --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225

DIR gets `features.onnx`, `features.data` (the weights) and `features.json` (the contract). The
graph takes `images`, `(batch, 3, height, width)` float32 in 0..1, of any size, and gives
`features`, `(batch, num_features)` float32.

`inception` and `adapter` make the network, `export` writes it, `cli` asks for it.
"""
