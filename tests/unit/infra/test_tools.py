"""Missing tools and bad settings are named, with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local import tools
from infra.local.errors import MissingTool, StackError
from infra.local.settings import StackSettings
from infra.local.stack import LocalStack


def test_a_missing_java_is_named_with_the_package_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingTool, match=r"java was not found.*apt-get install openjdk-17"):
        tools.java()


def test_an_old_java_is_refused_with_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(MissingTool, match=r'found openjdk version "11\.0\.2"'):
        tools.java()


def test_a_setting_that_is_no_port_is_named() -> None:
    with pytest.raises(StackError, match="HEADWAY_KAFKA_PORT is '99999'"):
        StackSettings.from_environment({"HEADWAY_KAFKA_PORT": "99999"})


def test_an_unknown_service_is_named() -> None:
    with pytest.raises(StackError, match="No such service: redis"):
        LocalStack(StackSettings(), ["redis"])


def test_jars_of_the_same_pom_are_not_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    jars = tmp_path / "jars"
    jars.mkdir()
    pom = tmp_path / "some.pom"
    pom.write_text("<project/>")
    (jars / "some.pom").write_text("<project/>")
    assert tools.maven_jars(pom, jars) == jars
    pom.write_text("<project><!-- another version --></project>")
    with pytest.raises(MissingTool, match=r"mvn was not found.*apt-get install maven"):
        tools.maven_jars(pom, jars)


def test_a_jar_that_maven_cannot_fetch_is_named_with_what_maven_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho 'Could not find artifact some:thing'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    pom = tmp_path / "some.pom"
    pom.write_text("<project/>")
    with pytest.raises(MissingTool, match=r"some\.pom was not found.*\s*Could not find artifact some:thing"):
        tools.maven_jars(pom, tmp_path / "jars")


def test_node_packages_of_the_same_lock_are_not_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    (tmp_path / "node_modules").mkdir()
    for name in ("package-lock.json", "node_modules/installed-lock.json"):
        (tmp_path / name).write_text("{}")
    tools.node_packages(tmp_path)
    (tmp_path / "package-lock.json").write_text('{"lockfileVersion": 3}')
    with pytest.raises(MissingTool, match=r"npm was not found.*apt-get install npm"):
        tools.node_packages(tmp_path)


def test_a_package_that_npm_cannot_fetch_is_named_with_what_npm_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho '404 no such package' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    (tmp_path / "package-lock.json").write_text("{}")
    with pytest.raises(MissingTool, match=r"package-lock\.json was not found.*\s*404 no such package"):
        tools.node_packages(tmp_path)


def test_the_lock_of_the_node_packages_names_no_registry() -> None:
    assert "resolved" not in (tools.NODE_TESTS / "package-lock.json").read_text()
