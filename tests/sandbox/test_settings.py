"""Language, usage headers, version and strictness can be changed while the sandbox runs."""

import json
from typing import Any

import pytest

from tests.sandbox.caller import Caller, a_text
from worker.sandbox.phrases import LOCALES, phrase

_DEFAULTS = {
    "strict": False,
    "locale": "en",
    "usage_spelling": "observed",
    "usage_percent": 0,
    "api_version": None,
    "read_delay_s": 0.0,
    "reads_per_s": 2,
    "most_listed": None,
    "own_id": "user_id",
    "refreshed_token_stays": True,
}


async def test_defaults_are_shown(caller: Caller) -> None:
    assert await caller.admin("GET", "settings") == _DEFAULTS


async def test_change_touches_only_what_it_names(caller: Caller) -> None:
    await caller.admin("PUT", "settings", {"strict": True})
    changed = await caller.admin("PUT", "settings", {"locale": "ja"})
    assert changed == {**_DEFAULTS, "strict": True, "locale": "ja"}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"locale": "xx"}, "locale"),
        ({"strict": "yes"}, "strict"),
        ({"strict": 1}, "strict"),
        ({"usage_spelling": "other"}, "usage_spelling"),
        ({"usage_percent": -1}, "usage_percent"),
        ({"api_version": "23"}, "api_version"),
        ({"read_delay_s": -1}, "read_delay_s"),
        ({"reads_per_s": 1.5}, "reads_per_s"),
        ({"most_listed": 0}, "most_listed"),
        ({"own_id": "name"}, "own_id"),
        ({"refreshed_token_stays": "yes"}, "refreshed_token_stays"),
        ({"speed": 5}, "speed"),
    ],
)
async def test_wrong_setting_is_refused_and_changes_nothing(
    change: dict[str, Any], place: str, caller: Caller
) -> None:
    reply = await caller.call("PUT", "/_sandbox/settings", json=change)
    assert reply.status == 400
    assert place in reply.json["error"]
    assert await caller.admin("GET", "settings") == _DEFAULTS


async def test_same_error_reads_differently_in_each_language(caller: Caller) -> None:
    await caller.script(scenario="window_closed", times=None)
    messages, pairs = set(), set()
    for locale in LOCALES:
        await caller.admin("PUT", "settings", {"locale": locale})
        reply = await caller.send(a_text())
        messages.add(reply.json["error"]["message"])
        pairs.add(reply.error)
        reply.headers["www-authenticate"].encode("ascii")
    assert len(messages) == len(LOCALES)
    assert pairs == {(403, 10, 2534022)}


@pytest.mark.parametrize("locale", LOCALES)
def test_unknown_pair_still_has_a_sentence(locale: str) -> None:
    assert phrase(424242, 7, locale=locale)
    assert phrase(613, 424242, locale=locale) == phrase(613, None, locale=locale)


@pytest.mark.parametrize(
    ("spelling", "keys"),
    [
        ("observed", {"call_volume", "cpu_time"}),
        ("documented", {"call_count", "total_time", "total_cputime"}),
    ],
)
async def test_usage_header_in_both_spellings(
    spelling: str, keys: set[str], caller: Caller
) -> None:
    await caller.admin("PUT", "settings", {"usage_spelling": spelling, "usage_percent": 83})
    for body in (a_text(), a_text("")):
        reply = await caller.send(body)
        assert json.loads(reply.headers["x-app-usage"]) == dict.fromkeys(keys, 83)


async def test_usage_header_can_be_missing(caller: Caller) -> None:
    await caller.admin("PUT", "settings", {"usage_spelling": "none"})
    assert "x-app-usage" not in (await caller.send(a_text())).headers


async def test_another_version_than_asked_for_can_answer(caller: Caller) -> None:
    await caller.admin("PUT", "settings", {"api_version": "v26.0"})
    assert (await caller.send(a_text())).headers["instagram-api-version"] == "v26.0"
