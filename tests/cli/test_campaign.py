"""A table and a template become requests; what is wrong with either is said before any is sent."""

import io
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from worker.cli.failure import UsageFailed
from worker.cli.lines import Line
from worker.cli.sending.campaign import opened_campaign
from worker.cli.sending.table import Table

TEMPLATE = {
    "id": "spring-{{customer}}",
    "account_id": "17841405822304914",
    "recipient": {"id": "{{igsid}}"},
    "message": {"text": "Hello {{ name | there }}: {{code}}"},
}


def lines_of(
    folder: Path,
    table: str | bytes,
    template: Any = TEMPLATE,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> list[Line]:
    (folder / "people.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    file = folder / "message.json"
    file.write_text(template if isinstance(template, str) else json.dumps(template))
    source = str(folder / "people.csv")
    with opened_campaign(source, file, delimiter=delimiter, encoding=encoding) as campaign:
        lines = list(campaign.lines())
        assert campaign.total == len(lines)
    return lines


def text_of(line: Line) -> Any:
    return json.loads(line.body)["message"]["text"]


def test_each_row_becomes_a_request_with_its_line(tmp_path: Path) -> None:
    one, two = lines_of(tmp_path, "customer,igsid,name,code\n7,1,Zoë ,A\n\n8,2,,B\n")
    assert json.loads(one.body) == {
        "id": "spring-7",
        "account_id": "17841405822304914",
        "recipient": {"id": "1"},
        "message": {"text": "Hello Zoë: A"},
    }
    assert (one.number, two.number, text_of(two)) == (2, 4, "Hello there: B")


@pytest.mark.parametrize(
    "cell", ['"', "\\", '","x":"', "{{code}}", "a\nb", "\u2028", "{", "\x01", "'", "\\u0000"]
)
def test_no_cell_breaks_the_json_or_is_taken_for_a_placeholder(tmp_path: Path, cell: str) -> None:
    quoted = '"' + f"x{cell}y".replace('"', '""') + '"'
    (line,) = lines_of(tmp_path, f"customer,igsid,name,code\n7,1,{quoted},A\n")
    assert text_of(line) == f"Hello x{cell}y: A"


def test_two_braces_can_be_written(tmp_path: Path) -> None:
    template = {**TEMPLATE, "message": {"text": "\\{{code}} {{code}}"}}
    (line,) = lines_of(tmp_path, "customer,igsid,code\n7,1,A\n", template)
    assert text_of(line) == "{{code}} A"


def test_row_that_lacks_something_says_what_and_keeps_its_line(tmp_path: Path) -> None:
    empty, short, good = lines_of(
        tmp_path, 'customer;igsid;name;code\r\n1;2;"x\ny";\r\n1;2\r\n3;4;x;y\r\n'
    )
    assert empty.problem is not None
    assert "the cell of code is empty" in empty.problem
    assert empty.again() == b'1;2;"x\ny";'
    assert (short.number, short.problem) == (4, "has 2 cells; the header has 4")
    assert good.problem is None


def test_without_an_id_each_row_has_one_of_its_own_that_stays_the_same(tmp_path: Path) -> None:
    template = {name: value for name, value in TEMPLATE.items() if name != "id"}
    table = "igsid,name,code\n1,a,A\n2,a,A\n"
    ids = [json.loads(line.body)["id"] for line in lines_of(tmp_path, table, template)]
    longer = "igsid,name,code\n9,b,B\n1,a,A\n2,a,A\n"
    again = [json.loads(line.body)["id"] for line in lines_of(tmp_path, longer, template)]
    assert len(set(ids)) == 2
    assert again[1:] == ids


def test_equal_rows_may_share_an_id(tmp_path: Path) -> None:
    assert len(lines_of(tmp_path, "customer,igsid,name,code\n1,2,a,A\n1,2,a,A\n")) == 2


HEADER = "customer,igsid,name,code\n"
WRONG: dict[str, tuple[str | bytes, Any, str]] = {
    "unknown placeholder": (HEADER, {**TEMPLATE, "id": "x{{custmer}}"}, r"{{custmer}} \(did you"),
    "id without": (HEADER, {**TEMPLATE, "id": "x"}, "every row would have the same id"),
    "same id": (f"{HEADER}1,2,a,A\n2,3,b,B\n1,2,a,C\n", TEMPLATE, "lines 2 and 4 differ"),
    "not closed": (HEADER, {**TEMPLATE, "id": "{{customer}"}, "/id: a placeholder is not closed"),
    "no column": (HEADER, {**TEMPLATE, "id": "{{ }}"}, "names no column"),
    "in a name": (HEADER, {**TEMPLATE, "metadata": {"{{code}}": 1}}, "/metadata: placeholders go"),
    "misspelt": (f"{HEADER}1,2,a,A\n", {**TEMPLATE, "mesage": 1}, "/mesage: is not a known field"),
    "wrong itself": (f"{HEADER}1,2,a,A\n", {**TEMPLATE, "account_id": "me"}, "/account_id: "),
    "no json": (HEADER, "{nonsense", "is not JSON"),
    "no object": (HEADER, "[]", "must be one JSON object"),
    "empty": ("", TEMPLATE, "its first line must name the columns"),
    "twice": ("a,b,a\n", TEMPLATE, "names a more than once"),
    "quote": (f'{HEADER}1,2,"a,A\n', TEMPLATE, "line 2: is not CSV: .*quotes"),
    "latin": (HEADER.encode() + b"1,2,\xfc,A\n", TEMPLATE, "line 2: byte 5 is not UTF-8.*cp1252"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_before_anything_is_sent(tmp_path: Path, name: str) -> None:
    table, template, said = WRONG[name]
    with pytest.raises(UsageFailed, match=said):
        lines_of(tmp_path, table, template)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_of_other_programs_are_read(tmp_path: Path, encoding: str) -> None:
    table = "customer,igsid,name,code\n7,1,Zoë,A\n8,2,x,\n".encode(encoding)
    named = None if encoding in ("utf-8", "utf-8-sig", "utf-16") else encoding
    good, bad = lines_of(tmp_path, table, encoding=named)
    assert text_of(good) == "Hello Zoë: A"
    assert bad.again() == b"8,2,x,"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_out(delimiter: str) -> None:
    header = '"a,b;c\td|e"' + delimiter + "name" + delimiter + "x"
    table = Table(io.BytesIO(header.encode()), "it", delimiter=None, encoding=None)
    assert table.columns == ["a,b;c\td|e", "name", "x"]


def test_delimiter_can_be_named_and_must_be_one() -> None:
    with ExitStack() as stack:
        file = stack.enter_context(io.BytesIO(b"a:b\n"))
        assert Table(file, "it", delimiter=":", encoding=None).columns == ["a", "b"]
        file.seek(0)
        with pytest.raises(UsageFailed, match="is not one character"):
            Table(file, "it", delimiter="::", encoding=None)
        file.seek(0)
        with pytest.raises(UsageFailed, match="Python knows no 'klingon'"):
            Table(file, "it", delimiter=None, encoding="klingon")
