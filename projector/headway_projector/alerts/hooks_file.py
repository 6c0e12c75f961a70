"""Reads the hooks from the TOML file that HEADWAY_PROJECTOR_ALERTS_FILE names, and checks all that it says."""

from __future__ import annotations

import base64
import binascii
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from headway_events.alerts import AlertType

from headway_projector.alerts.hooks import DAY_S, ErrorRate, Format, Hook, Hooks
from headway_projector.errors import InvalidAlerts

EVENTS: Final = tuple(kind for kind in AlertType if kind is not AlertType.TEST)
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
SIGNING: Final = "whsec_"  # what a secret begins with, as the Standard Webhooks specification has it
SIGNING_BYTES: Final = range(24, 65)  # likewise


class _Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A hook as it stands in the file."""

    name: str
    format: str
    url: str | None = None
    url_file: str | None = None
    url_env: str | None = None
    secret_file: str | None = None
    secret_env: str | None = None
    events: list[str] = msgspec.field(default_factory=lambda: list(EVENTS))
    labels: dict[str, str] = {}
    error_rate: ErrorRate = ErrorRate()


class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    dashboard: str
    give_up_after_s: int = DAY_S
    hooks: list[_Entry]


def read(path: str, environment: Mapping[str, str] | None = None) -> Hooks:
    """The hooks in a file; none without a path.

    Args:
        path: the file; files that it names are found beside it. Empty: there are no hooks.
        environment: where the values that it names are (the process's by default).

    Raises:
        InvalidAlerts: the file, or one that it names, cannot be read, or says something that is not understood; the
            message names the key and what is expected.
    """
    if not path:
        return Hooks()
    return _Reading(Path(path), os.environ if environment is None else environment).hooks()


class _Reading:
    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment

    def hooks(self) -> Hooks:
        file = self._parsed()
        if not _is_address(file.dashboard):
            raise self._wrong(
                "dashboard", f"is {file.dashboard!r}", "the address of the dashboard, http:// or https://"
            )
        if file.give_up_after_s < 1:
            raise self._wrong("give_up_after_s", f"is {file.give_up_after_s}", "seconds, at least 1")
        hooks = tuple(self._hook(f"hooks[{place}]", entry) for place, entry in enumerate(file.hooks))
        names = [hook.name for hook in hooks]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise self._wrong(f"hooks[{place}].name", f"is {name!r} once more", "a name of its own")
        return Hooks(
            dashboard=file.dashboard.rstrip("/"), give_up_after_s=file.give_up_after_s, hooks=hooks
        )  # fmt: skip

    def _parsed(self) -> _File:
        try:
            return msgspec.convert(tomllib.loads(self._path.read_text("utf-8")), _File)
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidAlerts(self._path, f"cannot be read: {error}") from error
        except tomllib.TOMLDecodeError as error:
            raise InvalidAlerts(self._path, f"is not TOML: {error}") from error
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at `$")
            raise InvalidAlerts(self._path, f"{where.strip('.`') or 'the file'}: {what}") from error

    def _hook(self, key: str, entry: _Entry) -> Hook:
        if not NAME.fullmatch(entry.name):
            raise self._wrong(
                f"{key}.name", f"is {entry.name!r}", "up to 64 letters, digits, dots, dashes, underscores"
            )
        if entry.format not in list(Format):
            raise self._wrong(f"{key}.format", f"is {entry.format!r}", "slack or json")
        if not entry.events or set(entry.events) - set(EVENTS):
            raise self._wrong(f"{key}.events", f"is {entry.events!r}", f"some of {', '.join(EVENTS)}")
        if not 0 <= entry.error_rate.share < 1:
            raise self._wrong(f"{key}.error_rate.share", f"is {entry.error_rate.share}", "a share from 0 to below 1")
        if entry.error_rate.min_files < 1:
            raise self._wrong(f"{key}.error_rate.min_files", f"is {entry.error_rate.min_files}", "at least 1")
        url = self._url(key, entry)
        return Hook(
            name=entry.name,
            url=url,
            host=_host(url),
            format=Format(entry.format),
            secrets=tuple(self._secrets(key, entry)),
            events=frozenset(map(AlertType, entry.events)),
            labels=entry.labels,
            error_rate=entry.error_rate,
        )

    def _url(self, key: str, entry: _Entry) -> str:
        given = {"url": entry.url, "url_file": entry.url_file, "url_env": entry.url_env}
        if sum(value is not None for value in given.values()) != 1:
            raise self._wrong(key, "has none or several of them", "one of url, url_file and url_env")
        if entry.url is None:
            found, at = self._elsewhere(key, "url", entry.url_file, entry.url_env)
        else:
            found, at = entry.url, f"{key}.url"
        if not _is_address(found):
            raise self._wrong(at, "is no address", "http:// or https://, and a host")
        return found

    def _secrets(self, key: str, entry: _Entry) -> Iterator[bytes]:
        given = (entry.secret_file is not None) + (entry.secret_env is not None)
        if entry.format == Format.SLACK:
            if given:
                raise self._wrong(key, "has a secret", "none for slack, which knows no signatures")
            return
        if given != 1:
            raise self._wrong(key, "has no secret, or two", "secret_file or secret_env, to sign with")
        found, at = self._elsewhere(key, "secret", entry.secret_file, entry.secret_env)
        for word in found.split():
            try:
                secret = base64.b64decode(word.removeprefix(SIGNING), validate=True)
            except binascii.Error:
                secret = b""
            if not word.startswith(SIGNING) or len(secret) not in SIGNING_BYTES:
                raise self._wrong(at, "is no secret", "whsec_ and 24 to 64 bytes in base64, one secret a line")
            yield secret
        if not found:
            raise self._wrong(at, "is empty", "whsec_ and 24 to 64 bytes in base64, one secret a line")

    def _elsewhere(self, key: str, what: str, file: str | None, variable: str | None) -> tuple[str, str]:
        """What a file or a variable of the environment holds, and the key that names it."""
        if variable is not None:
            at = f"{key}.{what}_env"
            if not self._environment.get(variable):
                raise self._wrong(at, f"names {variable!r}", "a variable of the environment that is set")
            return self._environment[variable].strip(), at
        at = f"{key}.{what}_file"
        try:
            return (self._path.parent / str(file)).read_text("utf-8").strip(), at
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise self._wrong(at, f"names {file!r}", f"a file that can be read ({reason})") from error

    def _wrong(self, key: str, found: str, expected: str) -> InvalidAlerts:
        return InvalidAlerts(self._path, f"{key} {found}; expected {expected}")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
