"""Does it help? Trains a segmenter on a run and on what it is compared with, tests on real images.

    python -m downstream RUN... --real DIR --out OUT

- `runs`, `real`, `labels`, `pictures`: what is read: converted datasets, labelled real images
- `arms`, `colour`: sets of equal size to train on: source, colour transfer, runs, oracle
- `networks`, `recipes`, `batches`, `loaders`, `training`, `testing`: one arm with one seed
- `scores`, `bootstrap`: from integers counted per image to figures and a verdict
- `experiment`, `work`, `store`, `progress`: all arms and seeds, resumable
- `perform`, `results`, `plot`: one experiment as it was asked for, and what came out
- `proof`: the same on the demo's drawings, with every method as an arm
"""
