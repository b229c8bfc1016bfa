"""Estimates how long an image takes on a GPU that is not at hand, from what is counted.

    python -m baseline.estimate --model MODEL --dtype fp16 [--gpu NAME ..] [--gpu-file FILE ..]

MODEL is a folder of `onnx_export`; its weights are not read. A kernel takes as long as the slowest
of three: its operations at the rate of the unit that does them, its bytes at the rate of memory,
its launches one after another. An evaluation is the sum of its kernels, an image that of its
evaluations and of encoding and decoding. Operations are those of products and convolutions; bytes
are those of each kernel's inputs and outputs, read and written once.

- `gpus`: what a GPU is known by
- `work`: kernels, and how long they take
- `shapes`, `graphs`: what the graphs of a model ask for
- `injection`: what the attention of injected layers asks for
- `model`: both, of an exported model
- `ways`: who computes an image how
- `report`: the table and the JSON

Not counted are GPUs that a small kernel does not fill, waits of the host, files and pictures.
"""
