"""`.Z` files are unpacked as gzip does it, within bounds, or refused with a ValueError."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.handwriting.lzw import uncompress
from tests.packing import compress

NUMBERS = b"".join(b"%d %d\n" % (i, i * i % 97) for i in range(20_000))  # codes of 9 to 16 bits occur


def test_packer_of_these_tests_writes_what_ncompress_writes() -> None:
    """The digest is of the output of ncompress 5.0, which continues the Unix program."""
    assert hashlib.sha256(compress(NUMBERS)).hexdigest() == (
        "d610311035b2a4d3988c74aa1999919816c11e34c3b21a88e09416895f61c70d"
    )


def test_unpacks_what_was_packed() -> None:
    for content in (b"", b"a", b"aaaa", b"abc" * 1000, bytes(range(256)) * 5, NUMBERS):
        for last_bits in (10, 12, 16):
            for block_mode in (True, False):
                packed = compress(content, last_bits, block_mode)
                assert uncompress(packed, len(content)) == content, (content[:9], last_bits, block_mode)


def test_table_may_be_cleared() -> None:
    for clear_every in (1, 8, 700):
        assert uncompress(compress(NUMBERS[:5_000], clear_every=clear_every), 5_000) == NUMBERS[:5_000]


@pytest.mark.skipif(not shutil.which("gzip"), reason="gzip unpacks .Z files, too, but is not installed")
def test_agrees_with_gzip() -> None:
    for clear_every in (0, 700):
        packed = compress(NUMBERS, clear_every=clear_every)
        expected = subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True).stdout
        assert uncompress(packed, len(NUMBERS)) == expected == NUMBERS


def test_stops_at_the_limit() -> None:
    bomb = compress(bytes(1_000_000))
    assert len(bomb) < 2_500
    tracemalloc.start()
    with pytest.raises(ValueError, match="10,000"):
        uncompress(bomb, 10_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000
    with pytest.raises(ValueError, match="3 bytes"):
        uncompress(compress(b"abcd"), 3)


def test_refuses_other_files() -> None:
    for packed in (b"", b"\x1f", b"\x1f\x9d", b"\x1f\x8b\x90", b"\x1f\x9d\x89", b"\x1f\x9d\x91"):
        with pytest.raises(ValueError, match="compress"):
            uncompress(packed, 100)


def test_refuses_a_code_that_was_never_defined() -> None:
    for packed in (b"\x1f\x9d\x90\xff\xff", b"\x1f\x9d\x90\x61\xfe\x03"):  # as the first code, and as the second
        with pytest.raises(ValueError, match="never defined"):
            uncompress(packed, 100)


@given(st.binary(max_size=300))
def test_any_bytes_are_unpacked_or_refused(packed: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert len(uncompress(b"\x1f\x9d\x90" + packed, 1000)) <= 1000
