"""`python -m exitsnoop`: the command line."""

import sys

from exitsnoop.cli import main

sys.exit(main())
