"""Finds the programs that the local stack needs, and installs those that a Debian-like system lacks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import MissingTool

KAFKA_POM = Path(__file__).with_name("kafka.pom")
NODE_TESTS = Path(__file__).parents[2] / "tests" / "node"
JAVA_AT_LEAST = 17  # Kafka 4's own minimum for a broker
POSTGRES_AT_LEAST = 14
POSTGRES_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


@dataclass(frozen=True)
class Tool:
    """A program, the Debian package that brings it, and what to do elsewhere."""

    name: str
    package: str
    remedy: str


JAVA = Tool("java", "openjdk-17-jre-headless", f"Install a Java {JAVA_AT_LEAST} or newer")
MAVEN = Tool("mvn", "maven", "Install Apache Maven")
POSTGRES = Tool("postgres", "postgresql", f"Install PostgreSQL {POSTGRES_AT_LEAST} or newer, the server")
NPM = Tool("npm", "npm", "Install Node.js with npm")
NGINX = Tool("nginx", "nginx", "Install nginx")
CHROMIUM = Tool("chromium", "chromium", "Install Chromium, or set HEADWAY_CHROMIUM to its path")


def java() -> Path:
    """The `java` program.

    Raises:
        MissingTool: there is none, or it is too old.
    """
    found = shutil.which("java")
    if found is None:
        raise _missing(JAVA)
    printed = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', printed)
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        raise _missing(JAVA, f" (found {printed.splitlines()[0] if printed else 'one that prints no version'})")
    return Path(found)


def postgres_bin() -> Path:
    """The directory of PostgreSQL's server programs, the newest found.

    Raises:
        MissingTool: there is none, or it is too old.
    """
    candidates = [path for pattern in POSTGRES_PLACES for path in Path("/").glob(pattern.lstrip("/"))]
    if on_path := shutil.which("initdb"):
        candidates.append(Path(on_path).resolve().parent)
    versions = {_postgres_version(path): path for path in candidates if (path / "postgres").exists()}
    newest = max(versions, default=0)
    if newest < POSTGRES_AT_LEAST:
        raise _missing(POSTGRES, f" (found {newest})" if newest else "")
    return versions[newest]


def chromium() -> Path:
    """The Chromium that the browser tests drive.

    Raises:
        MissingTool: there is none.
    """
    names = (os.environ.get("HEADWAY_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    raise _missing(CHROMIUM)


def nginx() -> Path:
    """The nginx that is put before the gateway.

    Raises:
        MissingTool: there is none.
    """
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        raise _missing(NGINX)
    return Path(found)


def kafka_jars(directory: Path) -> Path:
    """The jars of a Kafka broker; see `maven_jars`."""
    return maven_jars(KAFKA_POM, directory)


def maven_jars(pom: Path, directory: Path) -> Path:
    """The jars that a pom names, fetched by Maven into `directory` unless those of this very pom are there already.

    Raises:
        MissingTool: the jars are not there and neither is Maven, or Maven could not fetch them.
    """
    stamp = directory / pom.name
    if stamp.exists() and stamp.read_bytes() == pom.read_bytes():
        return directory
    maven = shutil.which("mvn")
    if maven is None:
        raise _missing(MAVEN)
    shutil.rmtree(directory, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={directory}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise MissingTool(f"A jar of {pom}", f"Maven could not fetch it:\n{said}")
    stamp.write_bytes(pom.read_bytes())
    return directory


def node_packages(directory: Path) -> None:
    """Install what the directory's `package-lock.json` pins, unless that very lock has been installed already.

    Raises:
        MissingTool: npm is not there, or could not fetch them.
    """
    lock = directory / "package-lock.json"
    stamp = directory / "node_modules" / "installed-lock.json"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return
    command = [str(_npm()), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise MissingTool(f"A package of {lock}", f"npm could not fetch it:\n{done.stderr[-2000:]}")
    stamp.write_bytes(lock.read_bytes())


def install(tools: Sequence[str]) -> None:
    """Install what is missing of `tools` ("stack", "browser", "node", "proxy") with apt.

    Raises:
        MissingTool: something is missing and this user cannot install packages here; the message has the command.
    """
    checks = {
        "stack": [(java, JAVA), (_maven, MAVEN), (postgres_bin, POSTGRES)],
        "browser": [(chromium, CHROMIUM)],
        "node": [(_npm, NPM)],
        "proxy": [(nginx, NGINX)],
    }
    missing: list[Tool] = []
    for name in tools:
        for find, tool in checks[name]:
            try:
                find()
            except MissingTool:
                missing.append(tool)
    if not missing:
        return
    packages = [tool.package for tool in missing]
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") is None or (as_root and not _passwordless_sudo()):
        raise _missing(missing[0], also=packages)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages],
    ):
        subprocess.run([*as_root, *command], check=True, env=environment, stdin=subprocess.DEVNULL)


def _maven() -> Path:
    found = shutil.which("mvn")
    if found is None:
        raise _missing(MAVEN)
    return Path(found)


def _npm() -> Path:
    found = shutil.which("npm")
    if found is None:
        raise _missing(NPM)
    return Path(found)


def _postgres_version(directory: Path) -> int:
    program = directory / "postgres"
    if not program.exists():
        return 0
    printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"(\d+)", printed)
    return int(version[1]) if version else 0


def _passwordless_sudo() -> bool:
    sudo = shutil.which("sudo")
    return sudo is not None and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0


def _missing(tool: Tool, found: str = "", also: Sequence[str] = ()) -> MissingTool:
    packages = " ".join(also or [tool.package])
    return MissingTool(f"{tool.name}{found}", f"{tool.remedy}; on Debian or Ubuntu: sudo apt-get install {packages}")
