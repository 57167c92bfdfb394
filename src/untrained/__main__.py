"""`python -m untrained` is the command `untrained`."""

import sys

from untrained.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
