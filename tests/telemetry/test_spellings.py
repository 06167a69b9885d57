"""The search for secrets finds them in the encodings that outputs use."""

import base64
import json
from urllib.parse import quote

import pytest

from tests.support.spellings import is_in

TOKEN = "IGAAtok8c170fac94287c68"


@pytest.mark.parametrize("lead", range(4))
@pytest.mark.parametrize("secret", ["a+b/c é?" + TOKEN, TOKEN, TOKEN + "x", TOKEN + "xy"])
def test_search_finds_a_secret_in_other_spellings(secret: str, lead: int) -> None:
    whole = "-" * lead + secret + "tail"
    written = [
        whole.encode(),
        whole.encode("utf-16"),
        json.dumps(whole).encode(),
        quote(whole, safe="").encode(),
        whole.encode().hex().encode(),
        base64.b64encode(whole.encode()),
        base64.urlsafe_b64encode(whole.encode()),
    ]
    assert [is_in(secret, each) for each in written] == [True] * len(written)
    assert not is_in(secret, b"nothing " + whole[:-6].encode())
