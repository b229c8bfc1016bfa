"""Runs the command line."""

import sys

from onnx_export.segmenter.cli import main

sys.exit(main())
