"""What there is to compare synth2real with: one image, converted by plain PyTorch and diffusers.

Run from `onnx-export/`:

    python -m baseline --model CHECKPOINT --content IMG --content-label PNG
                       --style IMG --style-label PNG --out PNG
                       [--method adain|cross-image|cacti|cactif] [--width 1024 --height 512]
                       [--noise NPZ] [--trace NPZ] [--times JSON]
    python -m baseline.checkpoint --out CHECKPOINT --width full
    python -m baseline.probe --model CHECKPOINT --size 512x256 --batch 1 3
    python -m baseline.limit
    python -m baseline.card --device cuda:0 --dtype fp16
    python -m baseline.rival --model MODEL --precision bf16
    python -m baseline.estimate --model MODEL --dtype fp16

CHECKPOINT is in diffusers' layout. The second command makes one of Stable Diffusion 1.5's size from
random numbers, the third times single evaluations of its UNet, the fourth says what the machine
could do at best, the fifth times the released code's work on a GPU, the sixth an exported UNet in
OpenVINO, which is in an environment of its own, and the seventh estimates seconds on GPUs that are
not at hand. Programs use torch's own number of threads; `OMP_NUM_THREADS` changes it.

The first command does the work of the method's released code in the same order and amount, in
float32 and with nothing made faster. Of 50 steps denoising skips the first 30, and the inversion
does not: that is 50 UNet evaluations for the content and 50 for the style. Then the output, the
style and the content branch go through the UNet together, twice in each of the 20 executed steps:
with injection, and without it for a guidance that gives this pass no weight. These are 120
evaluations, 220 in all, and 170 for each further content of a style that is inverted only once:
whoever compares datasets can subtract `inversion_style` from the times.

In the six self-attention layers of the decoder that take part in injection, attention maps exist as
tensors, `softmax(Q K^T / sqrt(d))` for every head and pair of positions; so too in passes that
inject nothing, inversion included. All other layers use diffusers' default, torch's
`scaled_dot_product_attention`. Only the output is decoded.

`--noise` and `--trace` are those of `synth2real transfer`, so that both programs can be given the
same draws and their latents be compared. `--injected-steps` is `2..`, which the released code does
for the first image of a process; synth2real's own default is `1..`.

**Source:** Chigot et al. 2025 (arXiv:2505.16360); Huberman-Spiegelglas et al. 2024, edit-friendly
inversion (arXiv:2304.06140). Written from their formulas and checked against latents that the
released code gave: see `tests/`.
"""
