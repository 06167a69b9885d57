"""Meta's table "Media types and specifications": what an attachment may be, and how large.

Refuses only what is certainly wrong. Meta is the judge of everything else.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_MB = 1024 * 1024  # Meta does not say which megabyte: the larger one is never wrong.


class Media(NamedTuple):
    """A file that Meta would fetch: the JSON Pointer of its URL, the attachment's type, the URL."""

    pointer: str
    type: str
    url: str


class Found(NamedTuple):
    """What a server said of a file: HTTP status, Content-Type, length of the whole in bytes.

    None for what it did not say; no status at all when it was not asked or did not answer.
    """

    status: int | None = None
    content_type: str | None = None
    size: int | None = None


class _Rule(NamedTuple):
    formats: str
    types: frozenset[str]
    most_mb: int


# Servers name one format in many ways: mp4 and ogg are containers, and a file of either is called
# audio or video by its extension alone.
_IMAGE = "image/png image/x-png image/apng image/jpeg image/jpg image/pjpeg image/gif"
_AUDIO = (
    "audio/aac audio/aacp audio/x-aac audio/x-hx-aac-adts audio/vnd.dlna.adts "
    "audio/m4a audio/x-m4a audio/mp4 audio/x-mp4 audio/mp4a-latm "
    "audio/wav audio/x-wav audio/wave audio/x-pn-wav audio/vnd.wave "
    "video/mp4 video/x-m4v application/mp4"
)
_VIDEO = (
    "video/mp4 video/x-m4v audio/mp4 application/mp4 video/ogg audio/ogg application/ogg "
    "video/avi video/x-msvideo video/msvideo video/vnd.avi "
    "video/quicktime video/x-quicktime video/webm audio/webm"
)
_RULES = {
    "image": _Rule("png, jpeg or gif", frozenset(_IMAGE.split()), 8),
    "audio": _Rule("aac, m4a, wav or mp4", frozenset(_AUDIO.split()), 25),
    "video": _Rule("mp4, ogg, avi, mov or webm", frozenset(_VIDEO.split()), 25),
    "file": _Rule("pdf", frozenset({"application/pdf", "application/x-pdf"}), 25),
}

# Types that say what a file is. Any other (application/octet-stream, text/plain, which servers
# give to what they do not know) says nothing.
_TELLING = re.compile(
    r"(?:image|audio|video)/[a-z0-9][a-z0-9.+-]{0,60}"
    r"|text/(?:html|css|csv|javascript|xml)"
    r"|application/(?:x-)?(?:pdf|json|xml|xhtml\+xml|zip|gzip|javascript|msword|ogg|mp4)"
)
_GONE = {404: "is not there", 410: "is gone"}


def media_in(document: Mapping[str, Any]) -> Iterator[Media]:
    """Give the files of a request that the contract has found valid, in order."""
    if "messages" in document:
        for index, message in enumerate(document["messages"]):
            yield from _media_of(message, f"/messages/{index}")
    elif "message" in document:
        yield from _media_of(document["message"], "/message")


def _media_of(message: Mapping[str, Any], pointer: str) -> Iterator[Media]:
    for name in ("attachment", "attachments"):
        value = message.get(name)
        if isinstance(value, list):
            for index, one in enumerate(value):
                yield from _file_of(one, f"{pointer}/{name}/{index}")
        elif value is not None:
            yield from _file_of(value, f"{pointer}/{name}")


def _file_of(attachment: Mapping[str, Any], pointer: str) -> Iterator[Media]:
    url = attachment.get("payload", {}).get("url")
    if attachment["type"] in _RULES and url is not None:
        yield Media(f"{pointer}/payload/url", attachment["type"], url)


def objection(kind: str, found: Found) -> str | None:
    """Say why Meta would certainly not take the file as `kind`; None when it may."""
    if found.status in _GONE:
        return f"the file {_GONE[found.status]} (HTTP {found.status}); give a URL that works"
    if found.status not in (200, 206):
        return None
    rule = _RULES[kind]
    article = "an" if kind[0] in "aeiou" else "a"
    if not _may_be(found.content_type, rule.types):
        return (
            f"the file is {found.content_type}, but {article} {kind} must be {rule.formats}; "
            "convert it, or have its server name its type"
        )
    if found.size is not None and found.size > rule.most_mb * _MB:
        return (
            f"the file has {found.size} bytes, but {article} {kind} may have at most "
            f"{rule.most_mb} MB; make it smaller"
        )
    return None


def _may_be(content_type: str | None, types: frozenset[str]) -> bool:
    return content_type is None or content_type in types or _TELLING.fullmatch(content_type) is None
