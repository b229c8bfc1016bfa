"""`python -m downstream`."""

import sys

from onnx_export.program import run

if __name__ == "__main__":
    sys.exit(run("downstream"))
