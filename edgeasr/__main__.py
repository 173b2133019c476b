"""`python -m edgeasr`."""

import sys

from edgeasr.cli import main

if __name__ == "__main__":
    sys.exit(main())
