"""`python -m lenetcli.as_torch [--check] SCRIPT [ARGS]`."""

import sys

from lenetcli.as_torch.script import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
