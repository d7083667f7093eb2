"""`.Z` files: unpacked as the packer meant it, bounded, and never another exception than ValueError."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.handwriting.lzw import uncompress
from tests.packing import compress

NUMBERS = b"".join(b"%d %d\n" % (i, i * i % 97) for i in range(20_000))  # fills the table: codes of 9 to 16 bits


def test_packer_of_these_tests_is_the_real_one() -> None:
    """SHA-256 of what ncompress 5.0, heir of the Unix program, makes of NUMBERS."""
    assert hashlib.sha256(compress(NUMBERS)).hexdigest() == (
        "d610311035b2a4d3988c74aa1999919816c11e34c3b21a88e09416895f61c70d"
    )


@pytest.mark.parametrize("content", [b"", b"a", b"aaaa", b"abc" * 1000, bytes(range(256)) * 5, NUMBERS])
@pytest.mark.parametrize("last_bits", [10, 12, 16])
@pytest.mark.parametrize("block_mode", [True, False])
def test_unpacks_what_was_packed(content: bytes, last_bits: int, block_mode: bool) -> None:
    assert uncompress(compress(content, last_bits, block_mode), len(content)) == content


@pytest.mark.parametrize("clear_every", [1, 8, 700])
def test_table_may_be_cleared(clear_every: int) -> None:
    assert uncompress(compress(NUMBERS[:5_000], clear_every=clear_every), 5_000) == NUMBERS[:5_000]


@pytest.mark.skipif(not shutil.which("gzip"), reason="no gzip, which unpacks .Z files, too")
@pytest.mark.parametrize("clear_every", [0, 700])
def test_agrees_with_gzip(clear_every: int) -> None:
    packed = compress(NUMBERS, clear_every=clear_every)
    expected = subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True).stdout
    assert uncompress(packed, len(NUMBERS)) == expected == NUMBERS


def test_stops_at_the_limit() -> None:
    bomb = compress(bytes(1_000_000))
    assert len(bomb) < 2_500
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"more than 10,000 bytes when unpacked"):
        uncompress(bomb, 10_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000
    with pytest.raises(ValueError, match="more than 3 bytes"):
        uncompress(compress(b"abcd"), 3)


@pytest.mark.parametrize("packed", [b"", b"\x1f", b"\x1f\x9d", b"\x1f\x8b\x90", b"\x1f\x9d\x89", b"\x1f\x9d\x91"])
def test_refuses_other_files(packed: bytes) -> None:
    with pytest.raises(ValueError, match="no file of the program `compress`"):
        uncompress(packed, 100)


def test_refuses_a_code_that_was_never_defined() -> None:
    for packed in (b"\x1f\x9d\x90\xff\xff", b"\x1f\x9d\x90\x61\xfe\x03"):  # as the first code, and as the second
        with pytest.raises(ValueError, match="never defined"):
            uncompress(packed, 100)


@given(st.binary(max_size=300))
def test_any_bytes_are_unpacked_or_refused(packed: bytes) -> None:
    try:
        assert len(uncompress(b"\x1f\x9d\x90" + packed, 1000)) <= 1000
    except ValueError:
        pass
