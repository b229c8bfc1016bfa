"""Runs the command line."""

import sys

from onnx_export.perceptual.cli import main

sys.exit(main())
