"""The errors of the gateway. Those that a client can cause or meet carry the HTTP status with which they are answered.

HeadwayError
└── GatewayError
    ├── InvalidSetting         a HEADWAY_* setting cannot be read, or is not safe
    └── RequestError           answered as a problem (RFC 9457), before anything else of the answer is sent
        ├── InvalidParameter   400
        ├── NotAuthenticated   401
        ├── CrossSite          403
        ├── OutOfScope         403
        ├── UnknownHost        403
        ├── NoSuchBatch        404
        ├── NoSuchFile         404
        ├── LogDropped         410
        ├── NotJson            415
        ├── NoQueryTokens      501
        ├── ParquetMissing     501
        ├── DatabaseAway       503
        ├── TooManyExports     503
        ├── KafkaAway          503
        ├── KeysAway           503
        └── TooManyStreams     503
"""

from __future__ import annotations

from typing import ClassVar

from headway_events import HeadwayError


class GatewayError(HeadwayError):
    """The gateway failed."""


class InvalidSetting(GatewayError, ValueError):
    """A setting cannot be read, or is not safe."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name} is {value!r}; expected {expected}")
        self.name = name
        self.value = value


class RequestError(GatewayError):
    """The request cannot be answered."""

    status: ClassVar[int] = 500
    retry_after_s: ClassVar[int | None] = None


class InvalidParameter(RequestError, ValueError):
    """A parameter of the request is malformed."""

    status = 400

    def __init__(self, parameter: str, value: str, expected: str) -> None:
        super().__init__(f"{parameter} is {value!r}; expected {expected}")
        self.parameter = parameter
        self.value = value


class NotAuthenticated(RequestError):
    """A token is needed: as `Authorization: Bearer ...`, by a login, or, for one batch, as access_token=."""

    status = 401


class CrossSite(RequestError):
    """The request comes from a page of another site; set HEADWAY_GATEWAY_ORIGINS if it should be heard."""

    status = 403


class OutOfScope(RequestError):
    """The token does not allow this."""

    status = 403


class UnknownHost(RequestError):
    """The request names a host that this gateway does not serve; set HEADWAY_GATEWAY_HOSTS if it should."""

    status = 403


class NoSuchBatch(RequestError):
    """There is no such batch, neither as a topic nor in the tables."""

    status = 404

    def __init__(self, batch_id: int) -> None:
        super().__init__(f"There is no batch {batch_id}, neither as a topic nor in the tables")
        self.batch_id = batch_id


class NoSuchFile(RequestError):
    """The batch has no such file."""

    status = 404

    def __init__(self, batch_id: int, file_name: str) -> None:
        super().__init__(f"Batch {batch_id} has no file {file_name!r}, or none yet")
        self.batch_id = batch_id
        self.file_name = file_name


class LogDropped(RequestError):
    """The events of the batch are not kept any more; its counts are."""

    status = 410

    def __init__(self, batch_id: int) -> None:
        super().__init__(
            f"The events of batch {batch_id} are not kept any more; its counts are: ask for /api/batches/{batch_id},"
            " or stream with from=snapshot"
        )
        self.batch_id = batch_id


class NotJson(RequestError):
    """The body must be JSON, with `Content-Type: application/json`."""

    status = 415


class NoQueryTokens(RequestError):
    """This gateway cannot sign query tokens: HEADWAY_GATEWAY_TOKEN_SECRET is not set."""

    status = 501


class ParquetMissing(RequestError):
    """This gateway cannot write Parquet: install `headway-gateway[parquet]` beside it, or ask for csv or ndjson."""

    status = 501


class TooManyExports(RequestError):
    """So many exports are under way that no other can begin; try again."""

    status = 503
    retry_after_s = 10


class KafkaAway(RequestError):
    """Kafka does not answer; try again."""

    status = 503
    retry_after_s = 2


class DatabaseAway(RequestError):
    """PostgreSQL does not answer; try again, or stream with from=earliest, which does not need it."""

    status = 503
    retry_after_s = 2


class KeysAway(RequestError):
    """The keys that tokens are checked with cannot be had; the gateway's log says why. Try again."""

    status = 503
    retry_after_s = 10


class TooManyStreams(RequestError):
    """There are as many streams as this gateway allows; try again, or ask another gateway."""

    status = 503
    retry_after_s = 10
