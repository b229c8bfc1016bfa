"""Exports a Stable Diffusion checkpoint as split ONNX graphs and their contract, `model.json`.

`checkpoint` (read and refuse: `files`, `weight_files`, `part_files`, `single_file`, `configs`,
`schedule`, `distilled`, `loading`, `lora`, `finite`) and `prompt` (`tokenizer`) -> `unet`, `vae`
(the modules to export, with `freeu` and `attention` in place) -> `simplify` (`norm`, `geglu`: same
numbers, fewer operators) -> `trace` (torch to ONNX) -> `cut` (segments, at the markers) ->
`precision`, `write`, `contract` -> `verify` (the graphs beside the checkpoint: `watch`,
`compare`). `export` runs it all, `cli` asks for it.

`features` and `perceptual` export the networks that judge images (`judge`), from state dicts
(`weights`): feature vectors for FID and KID, and LPIPS.
"""

__version__ = "0.1.0"
