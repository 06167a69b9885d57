"""Evidence survives the way through a file, and finds what was sent twice."""

from dataclasses import replace
from pathlib import Path

from tests.replicas.evidence import Evidence, Seen, mark_in, read, write

CALL = Seen("17", "60", "text", "flood-1", 0, 10.0, 10.5, accepted=True, status=200)


def test_what_is_written_is_read_in_order_of_receipt(tmp_path: Path) -> None:
    earlier = replace(CALL, request=None, part=None, received_at=9.0, answered_at=None)
    write(tmp_path / "seen", [CALL, earlier], [(8.0, 0.01), (9.5, 0.2)])
    found = read(tmp_path / "seen")
    assert found == Evidence([earlier, CALL], [(8.0, 0.01), (9.5, 0.2)])
    assert found.worst_stall_s == 0.2


def test_a_part_that_was_accepted_twice_is_named_once() -> None:
    refused = replace(CALL, request="flood-2", accepted=False)
    other_part = replace(CALL, part=1)
    again = replace(CALL, received_at=11.0)
    evidence = Evidence([CALL, refused, refused, other_part, again], [])
    assert evidence.sent_more_than_once() == ["flood-1/0"]


def test_times_are_told_apart_by_account_and_bucket() -> None:
    media = replace(CALL, bucket="media", received_at=12.0)
    assert Evidence([CALL, media], []).times() == {("17", "text"): [10.0], ("17", "media"): [12.0]}


def test_a_mark_is_found_in_a_text_and_in_a_url() -> None:
    assert mark_in("load-12/3") == ("load-12", 3)
    assert mark_in('{"url":"https://cdn.example.com/flood-7/0.png"}') == ("flood-7", 0)
    assert mark_in("Hello") == (None, None)
