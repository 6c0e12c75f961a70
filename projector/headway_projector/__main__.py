"""`python -m headway_projector`: the same as `headway-projector`."""

import sys

from headway_projector.cli import main

sys.exit(main())
