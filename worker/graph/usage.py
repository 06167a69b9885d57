"""How long the API asks us to wait."""

from collections.abc import Mapping

def retry_after_s(headers: Mapping[str, str], body: object) -> float | None:
    text = headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None
