"""Each row of the error table, as the documents have it, through a real HTTP server."""

from collections.abc import Iterator

import orjson
import pytest

from tests.integration.graph.calls import A_REACTION, A_TEXT, a_client, send
from tests.support.raw_http import Exchange, raw_peer
from worker.core.graph_errors import TABLE
from worker.core.request import Part
from worker.core.send_result import NotSent, Refused, Scope, SendResult, Throttled, Unknown

U, MEDIA = "unknown", "media"
APP, ACCOUNT_RATE, PERSON_RATE = "throttled app", "throttled account", "throttled conversation"
ACCOUNT, PERSON, WINDOW, MESSAGE = "account", "recipient", "window", "message"

# Written from Meta's documents, not from the code.
EXPECTED: dict[str, list[tuple[int, int | None]]] = {
    U: [(-1, None), (1, None), (1, 99), (1, 1357046), (2, None), (2, 1545133), (1200, None)],
    MEDIA: [(-2, None), (100, 2018008), (100, 2018047), (100, 2018294)],
    APP: [(4, None), (341, None)],
    ACCOUNT_RATE: [(17, None), (32, None), (613, None), (613, 2534040), (613, 1996)],
    PERSON_RATE: [(613, 2018338)],
    WINDOW: [(10, 2534022), (10, 2018278), (10, 2018065)],
    PERSON: [
        (10, 2018108), (10, 2018300), (10, 2018336), (100, 2018001), (100, 2534014),
        (100, 2534037), (200, 1545041), (551, None), (2018300, None), (2534001, None),
    ],
    ACCOUNT: [
        (3, None), (10, None), (10, 1893063), (10, 2534077), (100, 2534013), (100, 2534029),
        (102, None), (104, None), (190, None), (190, 458), (190, 459), (190, 460), (190, 463),
        (190, 464), (190, 467), (190, 490), (190, 492), (190, 2069032), (200, None),
        (200, 2018027), (200, 2018028), (200, 2534041), (230, None), (368, None), (2022, None),
        (36103, None),
    ],
    MESSAGE: [
        (4, 2018022), (4, 2018354), (9, 2018352), (10, 1404170), (10, 1893015), (100, None),
        (100, 33), (100, 2018014), (100, 2018015), (100, 2018034), (100, 2018040),
        (100, 2018041), (100, 2018053), (100, 2018074), (100, 2018109), (100, 2018164),
        (100, 2018276), (100, 2018320), (100, 2018328), (100, 2534015), (100, 2534025),
        (506, None), (613, 1893016), (803, None), (36000, None), (9000001, None),
    ],
}  # fmt: skip

# Not rows of their own: ranges, subcodes nobody listed, codes nobody knows.
BEYOND: list[tuple[str, int, int | None]] = [
    (ACCOUNT, 299, None),
    (ACCOUNT, 210, 4711),
    (ACCOUNT_RATE, 80000, None),
    (ACCOUNT_RATE, 80002, None),
    (ACCOUNT_RATE, 80006, None),
    (ACCOUNT_RATE, 80014, None),
    (ACCOUNT, 190, 4711),
    (MESSAGE, 100, 4711),
    (MESSAGE, 36000, 2207004),
    (APP, 4, 1349210),
    (APP, 4, 1349211),
    (APP, 4, 1349212),
    (U, 1200, 2018024),
    (PERSON, 551, 1545041),
    (MESSAGE, 4711, None),
    (MESSAGE, 4711, 42),
    # Reads, account linking and payments: a send never gets them, so nobody wrote a row.
    (MESSAGE, 9010, None),
    (MESSAGE, 10303, None),
    (MESSAGE, 24001, None),
    (MESSAGE, 24005, None),
]
NOBODY_KNOWS = {4711, 9010, 10303, 24001, 24005}


def rows() -> Iterator[tuple[str, int, int | None]]:
    for expected, pairs in EXPECTED.items():
        for code, subcode in pairs:
            yield expected, code, subcode
    yield from BEYOND


def class_of(result: SendResult) -> str:
    match result:
        case Unknown():
            return U
        case NotSent():
            return MEDIA if result.max_attempts == 3 else "not sent"
        case Throttled():
            return f"throttled {result.scope}"
        case Refused():
            return str(result.scope)
        case _:
            return "sent"


def test_the_documents_and_the_table_have_the_same_rows() -> None:
    assert {pair for pairs in EXPECTED.values() for pair in pairs} == set(TABLE)


def an_error(code: int, subcode: int | None, message: str) -> bytes:
    error = {"message": message, "type": "IGApiException", "code": code, "fbtrace_id": "AbC"}
    if subcode is not None:
        error["error_subcode"] = subcode
    return orjson.dumps({"error": error})


async def result_for(
    status: int,
    body: bytes,
    headers: str = "",
    *,
    part: Part = A_TEXT,
    may_have_gone: bool = False,
) -> SendResult:
    async def answer(exchange: Exchange) -> None:
        await exchange.read_request()
        await exchange.answer(status, body, headers=headers)

    async with raw_peer(answer) as peer, a_client(peer.url) as client:
        return await send(client, part=part, may_have_gone=may_have_gone)


@pytest.mark.parametrize(("expected", "code", "subcode"), list(rows()))
async def test_error_is_classified_by_code_and_subcode_in_any_language(
    expected: str, code: int, subcode: int | None
) -> None:
    results = [
        await result_for(status, an_error(code, subcode, message))
        for status, message in [
            (400, "Something went wrong"),
            (403, "Esta mensagem está a ser enviada fora da janela permitida."),
            (200, "このメッセージは送信できません。"),
        ]
    ]
    if code in NOBODY_KNOWS:
        # With a 200 a code that nobody knows says nothing about what became of the message.
        assert class_of(results.pop()) == U
    assert {class_of(result) for result in results} == {expected}
    for result in results:
        assert not isinstance(result, Refused | Unknown) or result.error.code == code


@pytest.mark.parametrize(
    ("expected", "codes"),
    [(ACCOUNT, range(200, 300)), (ACCOUNT_RATE, range(80000, 80015))],
    ids=["permissions", "business limits"],
)
async def test_every_code_of_a_documented_range_means_the_same(expected: str, codes: range) -> None:
    left = iter(codes)

    async def answer(exchange: Exchange) -> None:
        while True:
            await exchange.read_request()
            await exchange.answer(400, an_error(next(left), None, "x"))

    async with raw_peer(answer) as peer, a_client(peer.url) as client:
        found = {code: class_of(await send(client)) for code in codes}
    assert found == dict.fromkeys(codes, expected)


async def test_comment_answered_already_may_be_our_own_earlier_attempt() -> None:
    answered = an_error(100, 2534025, "x")
    assert class_of(await result_for(400, answered, may_have_gone=False)) == MESSAGE
    assert class_of(await result_for(400, answered, may_have_gone=True)) == "sent"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"recipient_id":"1"}', "sent"),
        (b'{"recipient_id":"1","message_id":"m"}', "sent"),
        (b"{}", U),
    ],
)
async def test_reaction_needs_no_message_id_but_a_recipient(body: bytes, expected: str) -> None:
    assert class_of(await result_for(200, body, part=A_REACTION)) == expected


@pytest.mark.parametrize(
    "error",
    [
        {"code": 190, "error_subcode": "460"},
        {"code": 190, "error_subcode": None},
        {"code": 190, "error_subcode": [460]},
        {"code": 190, "message": 7, "type": {}, "fbtrace_id": 9, "is_transient": "maybe"},
        {"code": 190, "error_data": "text", "error_user_msg": []},
    ],
    ids=str,
)
async def test_wrong_types_beside_the_code_change_nothing(error: dict[str, object]) -> None:
    result = await result_for(400, orjson.dumps({"error": error}))
    assert class_of(result) == ACCOUNT
    assert isinstance(result, Refused)
    assert (result.error.code, result.error.subcode, result.error.fbtrace_id) == (190, None, None)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"recipient_id":"1"}', U),
        (200, b"{}", U),
        (200, b"", U),
        (200, b"[]", U),
        (200, b"<html>", U),
        (200, b'{"error":{}}', U),
        (200, b'{"error":null,"recipient_id":"1","message_id":"m"}', "sent"),
        (400, b"<html>", U),
        (400, b'{"error":"no"}', U),
        (400, b'{"error":{"code":"190"}}', MESSAGE),
        (400, b'{"error":{"code":true}}', MESSAGE),
        (200, b'{"error":{"code":"190"}}', U),
        (400, b'{"error":{"code":1e400}}', U),
        (404, b"Not Found", U),
        (500, b"", U),
        (502, b"<html>Bad Gateway</html>", U),
        (503, b'{"error":{"code":4711}}', U),
        (500, an_error(2, None, "x"), U),
        (429, b"", ACCOUNT_RATE),
        (429, b"<html>", ACCOUNT_RATE),
        (429, an_error(4711, None, "x"), ACCOUNT_RATE),
        (429, an_error(4, None, "x"), APP),
    ],
)
async def test_other_answers(status: int, body: bytes, expected: str) -> None:
    assert class_of(await result_for(status, body)) == expected


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ("", None),
        ("Retry-After: 7\r\n", 7),
        ("Retry-After: soon\r\n", None),
        (
            "X-Business-Use-Case-Usage: "
            '{"1":[{"type":"instagram","estimated_time_to_regain_access":3}]}\r\n',
            180,
        ),
        ('Retry-After: 5\r\nX-Business-Use-Case-Usage: {"1":[{}]}\r\n', 5),
        ("X-Business-Use-Case-Usage: garbage\r\n", None),
    ],
)
async def test_throttle_carries_the_wait_the_api_asks_for(
    headers: str, wait_s: float | None
) -> None:
    result = await result_for(400, an_error(613, 2534040, "x"), headers)
    assert isinstance(result, Throttled)
    assert (result.scope, result.retry_after_s) == (Scope.ACCOUNT, wait_s)
