"""`make proof`: does it help on the demo's drawings, with every method as an arm?

    python -m downstream.proof --work WORK --program SYNTH2REAL

Day scenes are converted to night, snow and autumn by the demo's model, in one run for each method.
Held-out drawings of each look are the real images to test on; others are what the oracle trains
on. WORK has the drawings, settings files, runs and experiments, and at the end `proof.json`,
`proof.txt` and `proof.png`. Started again, it goes on.
"""
