"""`python -m downstream.proof`."""

import sys

from downstream.proof.cli import main

if __name__ == "__main__":
    sys.exit(main())
