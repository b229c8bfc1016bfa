"""Runs the command line."""

import sys

from onnx_export.program import run

sys.exit(run("onnx_export.prior"))
