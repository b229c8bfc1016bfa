"""Says on a machine with a GPU whether synth2real is right there, and how fast, within ten minutes.

It runs the programs of the folder that it lies in and compares what they make. Nothing but Python's
own library is used, so that an interpreter alone is shipped with it.

- `budget`: how long a step may take
- `bundle`: what the folder holds, and its programs as processes
- `trial`, `goldens`, `repeats`, `speed`, `rewrite`: the steps
- `report`: what becomes of them, as a table and as JSON
- `recipe`, `weights`, `graph_data`: a model of full width without its weights, and these again
- `arrays`, `pictures`: files of numbers and of pixels
"""
