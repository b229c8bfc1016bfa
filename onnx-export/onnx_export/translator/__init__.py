"""Exports a network that makes a real image of a synthetic one, for `method = "translator"`.

    python -m onnx_export.translator MODULE:FACTORY --weights own.pth --height 512 --width 1024 \\
        --out DIR
    python -m onnx_export.translator own.networks:Spade --inputs label,style,noise --noise 256 \\
        --unknown channel --height 512 --width 1024 --out DIR

FACTORY makes a torch module. Its `forward` takes what `--inputs` names, in that order, and gives
the image `(batch, 3, height, width)`:

    image   the content, (batch, 3, height, width)
    label   its label, one-hot, (batch, 19, height, width), in the order of Cityscapes' train ids
    style   a real photograph, (batch, 3, height, width)
    noise   normal draws, one set for each output, (batch, N) or (batch, C, H, W) as --noise says

Images are taken in `--input-range` and given in `--output-range`, by default -1 to 1. A pixel whose
class is not known is zero in all channels of a label, or with `--unknown channel` has the twentieth
of them.

DIR gets `translator.onnx`, `translator.data` (the weights) and `translator.json` (the contract).
The graph takes float32 of these names and gives `output`. Its batch is free where the network can
be traced so; the worker gives it one item at a time, so that no output depends on another.

`network` says what such a network takes, `export` writes it, `cli` asks for it.
"""
