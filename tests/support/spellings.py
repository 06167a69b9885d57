"""How else a secret may be written, so that a search for it does not miss it."""

import base64
import json
from urllib.parse import quote


def spellings(secret: str) -> set[bytes]:
    """Give the secret as plain bytes and in the encodings that outputs use."""
    raw = secret.encode()
    found = {raw, secret.encode("utf-16-le"), secret.encode("utf-16-be"), raw.hex().encode()}
    found |= {quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode()}
    for lead in range(3):
        # Wherever it begins in what was encoded: without the letters that its neighbours share.
        encoded = base64.b64encode(b"\0" * lead + raw)
        inner = encoded[(0, 2, 3)[lead] : len(encoded) - (4 if (lead + len(raw)) % 3 else 0)]
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def is_in(secret: str, text: str | bytes) -> bool:
    """Whether the secret is somewhere in the text, in any spelling."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return any(spelling in data for spelling in spellings(secret))
