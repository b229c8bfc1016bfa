"""The demo's dataset and its small diffusion model, both made from nothing by this package.

Run from `onnx-export/`; WORK is a folder for some 3 GB of pictures and latents:

    python -m demo scenes --out ../infra/demo/data           draw the committed dataset
    python -m demo draw --work WORK                          draw 6000 training pictures
    python -m demo train-vae --work WORK --minutes 40        train the autoencoder (WORK/vae)
    python -m demo train-unet --work WORK --out CHECKPOINT --minutes 60
    python -m demo train-vae --work WORK --minutes 10 --decoder-only
    python -m demo train-features --work WORK --out ../infra/demo/features
    python -m demo train-segmenter --work WORK --out ../infra/demo/segmenter
    python -m demo references --out REFERENCES --count 200

Trainings of the model last as long as they are told, go on from what is there, and may be stopped
at any time: the last average of the weights is on disk. `train-unet` takes WORK/vae into the
checkpoint whenever it saves. Two slow CPU cores are enough.

The last three are for the demo's figures. Two small networks are trained in as many steps as they
are told (minutes on one core; the same settings give the same network): one of features, and one
that says which class each pixel shows, whatever the look. What a style's look really is are
pictures of streets that nothing else is drawn from, as `REFERENCES/night/00001.png`.
`synth2real reference-stats` makes the demo's `infra/demo/reference/night.npz` of them, and so on.

`scene` makes a street from a seed, `looks` says what day, night, snow and autumn do to its colours,
and `painter` draws it together with its exact label map. The dataset's streets and those trained on
never share a seed. CHECKPOINT is in diffusers' layout: `unet/`, `vae/`, `scheduler/` and
`prompt_embedding.npy` (a seeded constant), ready for `python -m onnx_export`.
"""
