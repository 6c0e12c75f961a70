"""Checks that records of every release stay readable, by older and by newer readers; keeps what a release was.

With --check, which `make check` runs, today's schema and golden records are compared with those in released/, and each
rule that a change breaks is named with the field. Without it, they are kept as those of today's version.

The libraries that compare JSON Schemas answer yes or no; and they take a new optional field for a break, as records of
before might have a field of that name. Ours have none: a field that is in no release is in no record of ours.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

JSON = dict[str, Any]

HERE: Final = Path(__file__).parent
SCHEMA: Final = HERE / "generated" / "events.schema.json"
GOLDEN: Final = HERE / "golden"
RELEASED: Final = HERE / "released"

ANNOTATIONS: Final = {"title", "description", "examples"}  # for people: they may say it better
LOWER: Final = ("minimum", "minLength", "minItems")
UPPER: Final = ("maximum", "maxLength", "maxItems")
STRUCTURE: Final = {"$ref", "anyOf", "type", "enum", "properties", "required", "items", "additionalProperties"}


class Rule(StrEnum):
    """What a change must not do, and why."""

    TYPE_STAYS = "an event type is never removed or renamed: topics and the log hold records of it"
    FIELD_STAYS = "a field is never removed or renamed: readers of before look for it"
    NEW_IS_OPTIONAL = "a new field is optional: records of before have none"
    STAYS_OPTIONAL = "an optional field never becomes required: records of before may have none"
    STAYS_REQUIRED = "a required field never becomes optional: readers of before refuse records without it"
    KEEPS_TYPE = "a field never changes its type: records of before have the other"
    NOT_NARROWED = "what a field may hold is never narrowed: records of before hold more"
    NOT_WIDENED = "what a field may hold is never widened: readers of before refuse it"
    STAYS_OPEN = "fields that are not known stay allowed: records of later versions have some"
    STAYS_AS_IT_WAS = "its format, pattern and default never change: records of before follow the old"


class Break(NamedTuple):
    """A change that breaks a rule, and where."""

    place: str
    rule: Rule

    def __str__(self) -> str:
        """In words."""
        return f"{self.place}: {self.rule}"


def main(arguments: list[str] | None = None) -> int:
    """The command; the exit status is 1 when a release's readers or records are broken."""
    parser = argparse.ArgumentParser(description="Compare the events with those of every release, or keep a release.")
    parser.add_argument("--check", action="store_true", help="keep nothing; only compare")
    check = parser.parse_args(arguments).check
    broken = [f"{found} (as of {release.name})" for release in releases() for found in broken_since(release)]
    if not check and not broken:
        keep(RELEASED / version("headway-events"))
    print(*broken, sep="\n", end="\n" if broken else "", file=sys.stderr)
    return 1 if broken else 0


def releases() -> list[Path]:
    """The folders of what was released."""
    return sorted(path for path in RELEASED.iterdir() if path.is_dir())


def broken_since(release: Path) -> Iterator[str]:
    """What has broken since a release, in words."""
    yield from map(str, breaks(_read(release / "events.schema.json"), _read(SCHEMA)))
    golden = _golden()
    for name, record in _read(release / "golden.json").items():
        if golden.get(name) != record:
            yield f"golden/{name}.json: a record that was written is never changed or removed; add another file"


def keep(release: Path) -> None:
    """Keep today's schema and golden records as a release's."""
    release.mkdir(parents=True, exist_ok=True)
    for name, content in {"events.schema.json": _read(SCHEMA), "golden.json": _golden()}.items():
        (release / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def breaks(old: JSON, new: JSON) -> Iterator[Break]:
    """Which rules the change from one schema of events to another breaks."""
    types, new_types = old["discriminator"]["mapping"], new["discriminator"]["mapping"]
    for name, reference in types.items():
        if name not in new_types:
            yield Break(name, Rule.TYPE_STAYS)
        else:
            yield from _Comparison(old, new).objects(name, {"$ref": reference}, {"$ref": new_types[name]})


class _Comparison:
    """Two documents, whose parts may refer to their own `$defs`."""

    def __init__(self, old: JSON, new: JSON) -> None:
        self._old = old
        self._new = new

    def objects(self, place: str, old: JSON, new: JSON) -> Iterator[Break]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if new.get("additionalProperties", True) is not True:
            yield Break(place, Rule.STAYS_OPEN)
        fields, new_fields = old.get("properties", {}), new.get("properties", {})
        required, now_required = set(old.get("required", ())), set(new.get("required", ()))
        for name, schema in fields.items():
            at = f"{place}.{name}"
            if name not in new_fields:
                yield Break(at, Rule.FIELD_STAYS)
                continue
            if name in now_required - required:
                yield Break(at, Rule.STAYS_OPTIONAL)
            if name in required - now_required:
                yield Break(at, Rule.STAYS_REQUIRED)
            yield from self._values(at, schema, new_fields[name])
        for name in new_fields:
            if name not in fields and name in now_required:
                yield Break(f"{place}.{name}", Rule.NEW_IS_OPTIONAL)

    def _values(self, place: str, old: JSON, new: JSON) -> Iterator[Break]:
        """What a field may hold: one of some types, each with its limits."""
        before, after = _by_type(old, self._old), _by_type(new, self._new)
        if not before.keys() & after.keys() - {"null"}:
            yield Break(place, Rule.KEEPS_TYPE)
            return
        if before.keys() - after.keys():
            yield Break(place, Rule.NOT_NARROWED)
        if after.keys() - before.keys():
            yield Break(place, Rule.NOT_WIDENED)
        if old.get("default") != new.get("default"):
            yield Break(place, Rule.STAYS_AS_IT_WAS)
        for kind in before.keys() & after.keys():
            yield from self._limits(place, before[kind], after[kind])

    def _limits(self, place: str, old: JSON, new: JSON) -> Iterator[Break]:
        if "properties" in old or "properties" in new:
            yield from self.objects(place, old, new)
        if "items" in old or "items" in new:
            yield from self._values(f"{place}[]", old.get("items", {}), new.get("items", {}))
        if any(_bound(new, name, -1) > _bound(old, name, -1) for name in LOWER) or any(
            _bound(new, name, 1) < _bound(old, name, 1) for name in UPPER
        ):
            yield Break(place, Rule.NOT_NARROWED)
        if any(_bound(new, name, -1) < _bound(old, name, -1) for name in LOWER) or any(
            _bound(new, name, 1) > _bound(old, name, 1) for name in UPPER
        ):
            yield Break(place, Rule.NOT_WIDENED)
        listed, now_listed = old.get("enum"), new.get("enum")
        if now_listed is not None and (listed is None or not set(listed) <= set(now_listed)):
            yield Break(place, Rule.NOT_NARROWED)
        if listed is not None and (now_listed is None or not set(now_listed) <= set(listed)):
            yield Break(place, Rule.NOT_WIDENED)
        compared = ANNOTATIONS | STRUCTURE | {*LOWER, *UPPER, "default"}
        if any(old.get(name) != new.get(name) for name in (old.keys() | new.keys()) - compared):
            yield Break(place, Rule.STAYS_AS_IT_WAS)


def _by_type(schema: JSON, document: JSON) -> dict[str, JSON]:
    """The alternatives of a field, by JSON type; "any" where none is stated."""
    resolved = _resolved(schema, document)
    alternatives = [_resolved(one, document) for one in resolved.get("anyOf", [resolved])]
    return {one.get("type", "any"): one for one in alternatives}


def _resolved(schema: JSON, document: JSON) -> JSON:
    reference = schema.get("$ref")
    return schema if reference is None else document["$defs"][reference.removeprefix("#/$defs/")]


def _bound(schema: Mapping[str, Any], name: str, side: int) -> float:
    """A limit; without one, infinity on its side."""
    limit: float = schema.get(name, side * float("inf"))
    return limit


def _golden() -> JSON:
    return {path.stem: _read(path) for path in sorted(GOLDEN.glob("*.json"))}


def _read(path: Path) -> JSON:
    found: JSON = json.loads(path.read_text("utf-8"))
    return found


if __name__ == "__main__":
    sys.exit(main())
