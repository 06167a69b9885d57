"""The reference page is fresh, and has every schema, field, channel and message."""

from typing import Any

import pytest

from tests.contract.corpus import EXAMPLES
from tests.contract.reference.fields import anchor, rows_of
from tests.contract.reference.page import SECTIONS, page
from worker.contract.schema_files import DEAD_LETTER_HEADERS, OUTCOME, SEND_REQUEST, schemas
from worker.core.reason import Reason

_PAGE = (EXAMPLES.parents[1] / "docs" / "reference.md").read_text()
# Its definitions are told where they are used.
_VALUES = "urn:igsend:values:v1"


def test_the_page_is_what_the_schemas_make_of_it() -> None:
    assert page() == _PAGE, "run: make reference"


def test_every_schema_has_its_section() -> None:
    sections = {section.schema_id for section in SECTIONS}
    assert sections | {SEND_REQUEST, OUTCOME, DEAD_LETTER_HEADERS, _VALUES} == set(schemas())


def test_every_link_within_the_page_leads_to_a_heading() -> None:
    headings = {anchor(line.lstrip("# ")) for line in _PAGE.splitlines() if line.startswith("#")}
    links = {part.partition(")")[0] for part in _PAGE.split("](")[1:]}
    inside = {link for link in links if link.startswith("#")}
    assert len(inside) >= 10
    assert inside <= headings


@pytest.mark.parametrize("schema_id", [SEND_REQUEST, OUTCOME, DEAD_LETTER_HEADERS])
def test_every_field_of_a_message_has_its_row(schema_id: str) -> None:
    properties: dict[str, Any] = schemas()[schema_id]["properties"]
    for name, field in properties.items():
        rows = [line for line in _PAGE.splitlines() if line.startswith(f"| `{name}` | ")]
        assert any(row.endswith(f" | {field['description']} |") for row in rows), name


def test_limits_are_told_in_words() -> None:
    rows = {row.field: row for row in rows_of("urn:igsend:message:quick-replies:v1")}
    assert rows["`text`"].limits == "required; 1 to 10000 characters"
    assert rows["`quick_replies`"].limits == "required; 1 to 13 items"
    assert rows["`quick_replies[].title`"].limits == (
        "required if `content_type` is `text`; at least 1 character"
    )
    image = {row.field: row.limits for row in rows_of("urn:igsend:message:image:v1")}
    assert image["`attachment.payload.url`"].startswith("required without `attachment_id`; ")
    request = {row.field: row for row in rows_of(SEND_REQUEST)}
    assert request["`on_unknown`"].limits == "`verify`, `hold`, `resend`; default `verify`"
    assert request["`messages`"].type == "array of [Message](#message)"
    assert request["`split`"].limits == "default `false`"


def test_exchanges_and_queues_are_on_the_page() -> None:
    for name in ("ig.requests", "ig.bulk", "ig.outcomes", *(f"ig.dead.{r}" for r in Reason)):
        assert f"`{name}`" in _PAGE
