"""`python -m infra.local up|down|status|clean|install`: the local stack from the command line, for the Makefile."""

from __future__ import annotations

import argparse
import subprocess
import sys

from infra.local import tools
from infra.local.errors import StackError
from infra.local.settings import StackSettings
from infra.local.stack import SERVICES, LocalStack


def main() -> int:
    """Run one command; 0 when it succeeded, 1 with a message on stderr when it did not."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "clean", "install"])
    parser.add_argument("--only", default=",".join(SERVICES), help="services, separated by commas (default: all)")
    parser.add_argument("--for", dest="purpose", default="stack", help="install for: stack, browser, node, proxy")
    arguments = parser.parse_args()
    try:
        return _run(arguments.command, arguments.only.split(","), arguments.purpose.split(","))
    except StackError as error:
        print(f"{arguments.command}: {error}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"{arguments.command}: {' '.join(error.cmd)} failed with {error.returncode}", file=sys.stderr)
    return 1


def _run(command: str, only: list[str], purpose: list[str]) -> int:
    settings = StackSettings.from_environment()
    if command == "install":
        tools.install(purpose)
        tools.kafka_jars(settings.jars)
        if "node" in purpose:
            tools.node_packages(tools.NODE_TESTS)
        return 0
    stack = LocalStack(settings, only)
    if command == "up":
        stack.up()
        if "gateway" in only:
            print(f"dashboard: {settings.gateway_url}/")
    elif command == "down":
        stack.down()
    elif command == "clean":
        stack.clean()
    else:
        standing = stack.status()
        print("\n".join(f"{name}: {state}" for name, state in standing.items()))
        return 0 if set(standing.values()) == {"healthy"} else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
