"""Runs the command line."""

import sys

from baseline.estimate.cli import main

sys.exit(main())
