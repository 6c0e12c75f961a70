"""Migrations only add: programs of the release before work on while they run. See docs/operate/upgrades.md."""

from __future__ import annotations

import re
from typing import Final

import pytest
from headway_projector.migrate import migrations

CONTRACTS: Final = re.compile(r"\d{4}_contract_")
LEFT_OUT: Final = re.compile(r"--[^\n]*|\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'", re.DOTALL)  # comments, bodies, texts
FORBIDDEN: Final = {
    "drops": r"\bDROP\s+(?!TRIGGER|DEFAULT|NOT\s+NULL|FUNCTION)\w+",
    "renames": r"\bRENAME\b",
    "retypes": r"\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b",
    "constrains what is there": r"\bSET\s+NOT\s+NULL\b|\bADD\s+(CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)\b",
    "adds a column that old programs do not write": r"\bADD\s+COLUMN\s+(?![^,;]*\bDEFAULT\b)[^,;]*\bNOT\s+NULL\b",
    "changes or deletes rows": r"(^|;)\s*(UPDATE|DELETE|TRUNCATE)\b",
}


def refused(sql: str) -> list[str]:
    """What a migration does that it must not, unless it is one that contracts."""
    statements = LEFT_OUT.sub(" ", sql)
    return [what for what, pattern in FORBIDDEN.items() if re.search(pattern, statements, re.IGNORECASE)]


@pytest.mark.parametrize(("name", "sql"), [one for one in migrations() if not CONTRACTS.match(one[0])])
def test_a_migration_only_adds(name: str, sql: str) -> None:
    assert refused(sql) == [], name


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("ALTER TABLE batch DROP COLUMN run;", "drops"),
        ("-- gone\nDROP VIEW batchCounts;", "drops"),
        ("ALTER TABLE batch RENAME COLUMN run TO attempt;", "renames"),
        ("ALTER TABLE batch ALTER COLUMN run TYPE bigint;", "retypes"),
        ("ALTER TABLE batch ALTER run SET NOT NULL;", "constrains what is there"),
        ("ALTER TABLE batch ADD CONSTRAINT positive CHECK (run > 0);", "constrains what is there"),
        (
            "ALTER TABLE batch ADD COLUMN a text, ADD COLUMN b integer NOT NULL, ADD COLUMN c int DEFAULT 1;",
            "adds a column that old programs do not write",
        ),
        ("CREATE TABLE x (y int); UPDATE batch SET run = 1;", "changes or deletes rows"),
    ],
)
def test_what_would_break_the_release_before_is_refused(sql: str, what: str) -> None:
    assert refused(sql) == [what]


def test_what_functions_do_later_and_what_comments_say_is_not_refused() -> None:
    sql = """
        -- we do not DROP TABLE batch; nor RENAME it
        CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DROP TABLE old; $$;
        COMMENT ON VIEW batchCounts IS 'It''s never to be RENAMEd';
        ALTER TABLE batch ADD COLUMN movedAt timestamptz NOT NULL DEFAULT now();
        CREATE TABLE fresh (a int NOT NULL, PRIMARY KEY (a));
    """
    assert refused(sql) == []
