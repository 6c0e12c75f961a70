"""Which program may do what with which topics: `python -m infra.kafka.acls --producer User:pipeline ... [--apply]`.

Without --apply the rules are printed, for whoever keeps them elsewhere. With it they are made, as the administrator
that the HEADWAY_KAFKA_* settings name. Rules that are there already stay, and nothing is taken away.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from headway_events import HeadwayError, KafkaSecurity, TopicNames
from headway_events.kafka_refusals import Refusals, explained

TIMEOUT_S: Final = 15.0
EVERYWHERE: Final = "*"  # programs move between hosts


class Rule(NamedTuple):
    """One resource, and what may be done with it."""

    kind: str  # TOPIC or GROUP
    name: str
    is_prefix: bool
    operations: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.operations)} on {self.kind} {self.name}{'*' if self.is_prefix else ''}"


def rules(names: TopicNames, app_id: str) -> dict[str, list[Rule]]:
    """Of each kind of program, all that it needs.

    Args:
        names: of the topics.
        app_id: of the projectors, which is their group's name.
    """
    batches = ("TOPIC", names.prefix, True)
    registry = ("TOPIC", names.registry, False)
    return {
        "producer": [
            Rule(*batches, ("CREATE", "DESCRIBE", "WRITE")),
            Rule(*registry, ("CREATE", "DESCRIBE", "WRITE")),
        ],
        "projector": [
            Rule(*batches, ("DELETE", "DESCRIBE", "READ")),  # the topics of finished batches are deleted
            Rule(*registry, ("CREATE", "DESCRIBE", "READ")),
            Rule("TOPIC", names.dead_letters, False, ("CREATE", "DESCRIBE", "WRITE")),
            Rule("GROUP", app_id, False, ("DESCRIBE", "READ")),
            Rule("GROUP", "headway-projector-unused", False, ("DESCRIBE",)),  # the client asks who coordinates it
        ],
        "gateway": [
            Rule(*batches, ("DESCRIBE", "READ")),
            Rule(*registry, ("DESCRIBE",)),  # whether it is there tells a broker that has just started
            Rule("GROUP", "headway-gateway-unused", False, ("DESCRIBE",)),
        ],
    }


def apply(
    connection: Mapping[str, str], principals: Mapping[str, Iterable[str]], wanted: Mapping[str, list[Rule]]
) -> None:
    """Make the rules.

    Args:
        connection: an administrator's, as properties of librdkafka.
        principals: the users of each kind of program, such as `User:pipeline`.
        wanted: the rules of each kind of program.

    Raises:
        KafkaException: Kafka does not answer, or refuses.
    """
    refusals = Refusals()
    admin = AdminClient({**connection, **refusals.callbacks})
    bindings = [
        binding
        for kind, users in principals.items()
        for user in users
        for rule in wanted[kind]
        for binding in _bindings(user, rule)
    ]
    for made in admin.create_acls(bindings, request_timeout=TIMEOUT_S).values():
        try:
            made.result()
        except KafkaException as error:
            admin.poll(0)
            raise KafkaException(refusals.last or explained(error)) from error


def _bindings(user: str, rule: Rule) -> Iterator[AclBinding]:
    pattern = ResourcePatternType.PREFIXED if rule.is_prefix else ResourcePatternType.LITERAL
    for operation in rule.operations:
        yield AclBinding(
            ResourceType[rule.kind],
            rule.name,
            pattern,
            user,
            EVERYWHERE,
            AclOperation[operation],
            AclPermissionType.ALLOW,
        )


def main() -> int:
    """Print or make the rules; 0 when that succeeded, 1 when it did not (and stderr says why)."""
    parser = argparse.ArgumentParser(prog="python -m infra.kafka.acls", description="Kafka's rules for Headway.")
    for kind in ("producer", "projector", "gateway"):
        parser.add_argument(f"--{kind}", action="append", default=[], metavar="User:NAME", help="may be repeated")
    parser.add_argument("--apply", action="store_true", help="make the rules; else they are printed")
    arguments = parser.parse_args()
    default = TopicNames()
    names = TopicNames(
        prefix=os.environ.get("HEADWAY_TOPIC_PREFIX") or default.prefix,
        registry=os.environ.get("HEADWAY_REGISTRY_TOPIC") or default.registry,
        dead_letters=os.environ.get("HEADWAY_DEAD_LETTER_TOPIC") or default.dead_letters,
    )
    wanted = rules(names, os.environ.get("HEADWAY_PROJECTOR_APP_ID") or "headway-projector")
    principals = {kind: getattr(arguments, kind) for kind in wanted}
    for kind, users in principals.items():
        for user in users:
            print(*(f"allow {user}: {rule}" for rule in wanted[kind]), sep="\n")
    if arguments.apply:
        try:
            bootstrap = os.environ.get("HEADWAY_KAFKA_BOOTSTRAP") or "127.0.0.1:9092"
            apply(KafkaSecurity.from_environment(os.environ).connection(bootstrap), principals, wanted)
        except (HeadwayError, KafkaException) as error:
            print(f"The rules were not made: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
