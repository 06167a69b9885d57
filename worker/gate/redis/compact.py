"""Message ids in three quarters of their length: they are Base64 as far as anybody has seen."""

import binascii
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator

# An id is one octet that says its form and, times four, how many of its last characters stand as
# they are; then its length in one octet (255: in the next two), then that many octets.
_NONE, _PLAIN, _BASE64, _URL_SAFE = range(4)
_LONG = 0xFF
_LONGEST = 0xFFFF


def pack_ids(ids: Iterable[str | None]) -> bytes:
    """Write ids one after the other; raises ValueError for one of more than 64 KiB."""
    return b"".join(_packed(each) for each in ids)


def unpack_ids(data: bytes) -> tuple[str | None, ...]:
    """Read what `pack_ids` wrote."""
    return tuple(_unpacked(data))


def _packed(text: str | None) -> bytes:
    if text is None:
        return bytes((_NONE,))
    form, rest, octets = _shortest(text)
    if len(octets) > _LONGEST:
        raise ValueError("a message id of more than 64 KiB is none")
    short = len(octets) < _LONG
    length = bytes((len(octets),)) if short else bytes((_LONG,)) + len(octets).to_bytes(2)
    return bytes((form + 4 * rest,)) + length + octets


def _shortest(text: str) -> tuple[int, int, bytes]:
    # Whole groups of four only: the bits that fill up a rest are not always zero.
    rest = len(text) % 4
    groups, tail = text[: len(text) - rest], text[len(text) - rest :]
    for form, decode, encode in (
        (_URL_SAFE, urlsafe_b64decode, urlsafe_b64encode),
        (_BASE64, b64decode, b64encode),
    ):
        try:
            octets = decode(groups)
        except (binascii.Error, ValueError):
            continue
        if tail.isascii() and encode(octets).decode() == groups:
            return form, rest, tail.encode() + octets
    return _PLAIN, 0, text.encode()


def _unpacked(data: bytes) -> Iterator[str | None]:
    offset = 0
    while offset < len(data):
        rest, form = divmod(data[offset], 4)
        offset += 1
        if form == _NONE:
            yield None
            continue
        length = data[offset]
        offset += 1
        if length == _LONG:
            length = int.from_bytes(data[offset : offset + 2])
            offset += 2
        octets = data[offset : offset + length]
        offset += length
        if form == _PLAIN:
            yield octets.decode()
        else:
            encode = urlsafe_b64encode if form == _URL_SAFE else b64encode
            yield encode(octets[rest:]).decode() + octets[:rest].decode()
