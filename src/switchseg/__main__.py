"""`python -m switchseg`, the form that torchrun launches."""

import sys

from switchseg.cli import main

if __name__ == "__main__":
    sys.exit(main())
