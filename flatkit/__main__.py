"""`python -m flatkit` is the `flatkit` command."""

import sys

from flatkit.cli import main

sys.exit(main())
