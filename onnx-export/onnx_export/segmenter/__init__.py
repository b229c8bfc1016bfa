"""Exports a network that says of each pixel what it shows, to look whether labels still hold.

    python -m onnx_export.segmenter --torchvision deeplabv3_resnet50 --weights own.pth \\
        --classes cityscapes --out DIR
    python -m onnx_export.segmenter --transformers segformer-b2-cityscapes --out DIR
    python -m onnx_export.segmenter --factory downstream.networks:UNet --weights own.pth \\
        --classes cityscapes --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --out DIR

`--classes` says which class of the network is which of Cityscapes' nineteen: a table with one entry
for each class, by index or by the network's name, that gives a name or train id, or `ignore`:

    {"0": "road", "tree": "vegetation", "2": 11, "bench": "ignore"}         table.json
    tree = "vegetation"                                                      table.toml
    tree,vegetation                                                          table.csv

or a data set: `cityscapes` (nineteen in the order of train ids), `ade20k` or `voc`. It may be left
out if every class of the network has a name that Cityscapes has.

DIR gets `segmenter.onnx`, `segmenter.data` (the weights) and `segmenter.json` (the contract). The
graph takes `images`, `(batch, 3, height, width)` float32 in 0..1, of any size, and gives `classes`,
`(batch, height, width)` int64: the network's own, of the highest score after scores have been
brought to the images' size. Channels are scaled as `preprocessor_config.json`, ImageNet
(`--torchvision`) or `--mean` and `--std` say. With `--resize`, which Mask2Former and MaskFormer
need, the network sees all images in that size.

`sources` and `folder` load a network, `network` makes a segmenter of it, `classes` maps its
classes, `export` writes it, `cli` asks for it.
"""
