"""Which files Meta takes for which attachment, told by the URL's extension when it has one.

Meta's "Media types and specifications" table; file (pdf) is from the newer copy of that page.
"""

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from worker.sandbox.fields import only, the_numeric_id, the_object, the_text
from worker.sandbox.refusal import GraphRefusal

EXTENSIONS = {
    "audio": frozenset({"aac", "m4a", "wav", "mp4"}),
    "image": frozenset({"png", "jpeg", "jpg", "gif"}),
    "video": frozenset({"mp4", "ogg", "avi", "mov", "webm"}),
    "file": frozenset({"pdf"}),
}

# Files that Meta takes for no attachment. Any other extension (.php, .bin) says nothing about
# what the server behind the URL would answer.
_NEVER_TAKEN = frozenset(
    {"aiff", "amr", "flac", "mid", "mp3", "oga", "opus", "wma"}
    | {"avif", "bmp", "heic", "heif", "ico", "svg", "tif", "tiff", "webp"}
    | {"3gp", "flv", "m4v", "mkv", "mpeg", "mpg", "wmv"}
    | {"csv", "doc", "docx", "odt", "ppt", "pptx", "rtf", "txt", "xls", "xlsx"}
    | {"7z", "gz", "htm", "html", "json", "rar", "tar", "xml", "zip"}
)
_KNOWN = _NEVER_TAKEN.union(*EXTENSIONS.values())


def check_media_payload(payload: Any, where: str, *, media_type: str) -> None:
    """Take a `url` of a fitting file, or the `attachment_id` of an upload, not both."""
    fields = the_object(payload, where)
    only(fields, where, "url", "attachment_id")
    if "attachment_id" in fields:
        if "url" in fields:
            raise GraphRefusal(100, 2534015, detail=f"{where} has both url and attachment_id")
        the_numeric_id(fields["attachment_id"], f"{where}.attachment_id", mismatch=2018074)
        return
    extension = _extension(the_url(fields, "url", where))
    if extension in _KNOWN and extension not in EXTENSIONS[media_type]:
        raise GraphRefusal(100, 2018047, detail=f"{where}.url is no {media_type} file")


def the_url(holder: dict[str, Any], name: str, where: str) -> str:
    """Insist on an absolute http or https URL."""
    url = the_text(holder, name, where, empty=2018041)
    if not is_well_formed(url):
        raise GraphRefusal(100, detail=f"{where}.{name} is not a valid URL")
    return url


def is_well_formed(url: str) -> bool:
    """True for an http(s) URL with a host, without spaces or control characters."""
    if any(sign <= " " or sign == "\x7f" for sign in url):
        return False
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _extension(url: str) -> str:
    return PurePosixPath(urlsplit(url).path).suffix[1:].lower()
