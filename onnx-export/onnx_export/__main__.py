"""Runs the command line."""

import sys

from onnx_export.cli import main

sys.exit(main())
