"""Runs the command line."""

import sys

from onnx_export.features.cli import main

sys.exit(main())
