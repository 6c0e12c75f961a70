"""Gzip that a client can read message by message."""

from __future__ import annotations

import gzip
import zlib

import pytest
from headway_gateway.compression import Compressor, is_accepted


def test_every_message_can_be_read_at_once_and_the_whole_is_gzip() -> None:
    compressor, reader = Compressor(), zlib.decompressobj(zlib.MAX_WBITS | 16)
    sent = b""
    for number in range(100):
        message = b"id: %d\nevent: file_complete\ndata: {}\n\n" % number
        compressed = compressor.compress(memoryview(message))
        sent += compressed
        assert reader.decompress(compressed) == message
    sent += compressor.finish()
    assert gzip.decompress(sent).count(b"\n\n") == 100


@pytest.mark.parametrize(
    "header", ["gzip", "deflate, GZIP;q=0.5", "br , gzip", "*", "*;q=0.1", "identity;q=0, gzip;q=1.000"]
)
def test_a_client_that_takes_gzip_gets_it(header: str) -> None:
    assert is_accepted(header)


@pytest.mark.parametrize(
    "header", ["", "identity", "br, zstd", "gzip;q=0", "*, gzip;q=0.000", "*;q=0", "gzip;q=x", "x-gzip2"]
)
def test_a_client_that_does_not_gets_its_bytes_as_they_are(header: str) -> None:
    assert not is_accepted(header)
