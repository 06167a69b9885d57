"""Phrases that several commands say in the same way."""


def with_codes(meaning: str, code: int | None, subcode: int | None) -> str:
    """Put the codes of the API behind a sentence, if there are any."""
    codes = "/".join(str(each) for each in (code, subcode) if each is not None)
    return f"{meaning} ({codes})" if codes else meaning
