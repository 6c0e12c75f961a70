"""`headway`: sees to it that what it is drawn with is there, and runs the command."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> int:
    """Run the command that the arguments name; its exit code."""
    if find_spec("rich") is None:
        print("headway draws with rich, which is not installed: pip install 'headway-client[cli]'", file=sys.stderr)
        return 1
    from headway_client.cli.run import run  # noqa: PLC0415 - needs what was just looked for

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
