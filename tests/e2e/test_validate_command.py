"""`igsend validate`: says everything that is wrong, without a broker and without settings."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.support.builders import a_document
from tests.support.commands import igsend

BROKEN = {"account_id": "17841405822304914", "recipient": {"id": "1"}, "message": {"text": ""}}
EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "valid"


def as_line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\n"


async def test_a_valid_file_is_called_valid(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(a_document(), indent=2))
    done = await igsend("validate", file)
    assert (done.code, done.out, done.err) == (0, "1 of 1 requests are valid\n", "")


async def test_json_lines_from_standard_input_are_judged_one_by_one() -> None:
    lines = as_line(a_document(id="a")) + b"\n" + as_line(BROKEN) + b"{oops\n"
    done = await igsend("validate", "-", "--json", given=lines + as_line(a_document(id="z")))
    assert done.code == 1
    first, second, third, last = done.json_lines
    assert first == {"line": 1, "id": "a", "valid": True, "errors": []}
    assert [second["line"], second["id"], second["valid"]] == [3, None, False]
    assert [third["line"], third["id"], third["valid"]] == [4, None, False]
    assert last == {"line": 5, "id": "z", "valid": True, "errors": []}


async def test_all_errors_come_at_once_each_with_a_pointer_and_a_sentence() -> None:
    done = await igsend("validate", "-", "--json", given=as_line(BROKEN))
    (report,) = done.json_lines
    assert set(report) == {"line", "id", "valid", "errors"}
    assert [error["pointer"] for error in report["errors"]] == ["/id", "/message/text"]
    assert all(set(error) == {"pointer", "message"} for error in report["errors"])
    assert all(len(error["message"]) > 5 for error in report["errors"])


async def test_people_get_the_same_as_text() -> None:
    done = await igsend("validate", "-", given=as_line(BROKEN))
    assert done.code == 1
    assert done.out.splitlines() == [
        "line 1, id unknown:",
        "  /id: is missing",
        "  /message/text: must not be empty",
        "0 of 1 requests are valid",
    ]


async def test_an_array_holds_several_requests() -> None:
    documents = [a_document(id="a"), BROKEN, 7, a_document(id="b")]
    done = await igsend("validate", "-", "--json", given=json.dumps(documents, indent=1).encode())
    reports = done.json_lines
    assert done.code == 1
    assert [(report["id"], report["valid"]) for report in reports] == [
        ("a", True),
        (None, False),
        (None, False),
        ("b", True),
    ]


async def test_one_broken_document_over_several_lines_is_one_mistake() -> None:
    broken = json.dumps(a_document(), indent=2).replace('"recipient":', '"recipient"')
    done = await igsend("validate", "-", "--json", given=broken.encode())
    (report,) = done.json_lines
    assert done.code == 1
    assert "is not JSON" in report["errors"][0]["message"]


async def test_every_published_example_is_valid(tmp_path: Path) -> None:
    documents = [json.loads(path.read_text()) for path in EXAMPLES.glob("*.json")]
    file = tmp_path / "all.jsonl"
    file.write_bytes(b"".join(map(as_line, documents)))
    done = await igsend("validate", file)
    assert (done.code, done.out) == (
        0,
        f"{len(documents)} of {len(documents)} requests are valid\n",
    )


async def test_no_bytes_are_too_strange_to_be_judged() -> None:
    strange = (b"\xff\xfe{}", b"null", b"NaN", b"[" * 100_000, b"\0")
    for done in await asyncio.gather(
        *(igsend("validate", "-", "--json", given=given) for given in strange)
    ):
        assert (done.code, done.err) == (1, "")
        assert [report["valid"] for report in done.json_lines] == [False]


WRONG_USES = {
    ("no-such-file.json",): "igsend: cannot read no-such-file.json: No such file",
    (".",): "igsend: no .json, .jsonl, .ndjson file in .",
    ("*.jsonl",): "igsend: no file matches *.jsonl",
    ("-", "--json", "--format", "github"): "igsend: --json and --format github exclude each other",
    (): "Missing argument 'FILE|-'",
    ("-", "--lane", "bulk"): "No such option: --lane",
}


async def test_wrong_use_exits_2_and_says_why(tmp_path: Path) -> None:
    ended = await asyncio.gather(
        *(igsend("validate", *arguments, folder=tmp_path) for arguments in WRONG_USES)
    )
    for done, said in zip(ended, WRONG_USES.values(), strict=True):
        assert (done.code, done.out) == (2, "")
        assert said in done.err


def put(folder: Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))


FILES = {
    "good.json": a_document(id="a"),
    "bad, 100%.json": {**BROKEN, "id": "b"},
    "more/lines.jsonl": json.dumps(a_document(id="c")) + "\n\n" + json.dumps({**BROKEN, "id": "d"}),
    "more/array.ndjson": [a_document(id="e"), {**BROKEN, "id": "f"}],
    "more/notes.txt": "none of ours",
    ".hidden/x.json": "{}",
}


async def test_folders_patterns_and_several_files_are_taken_each_file_once(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    whole, patterns = await asyncio.gather(
        igsend("validate", ".", "good.json", "--json", folder=tmp_path),
        igsend("validate", "**/*.json*", "more/*.ndjson", "--json", folder=tmp_path),
    )
    for done in (whole, patterns):
        assert done.code == 1
        found = sorted((r["file"], r["line"], r["id"], r["valid"]) for r in done.json_lines)
        assert found == [
            ("bad, 100%.json", 1, "b", False),
            ("good.json", 1, "a", True),
            ("more/array.ndjson", 2, "e", True),
            ("more/array.ndjson", 12, "f", False),
            ("more/lines.jsonl", 1, "c", True),
            ("more/lines.jsonl", 3, "d", False),
        ]


async def test_several_files_are_named_to_people_with_the_line(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    done = await igsend("validate", "good.json", "more", folder=tmp_path)
    assert done.out.splitlines() == [
        "more/array.ndjson:12, id f:",
        "  /message/text: must not be empty",
        "more/lines.jsonl:3, id d:",
        "  /message/text: must not be empty",
        "3 of 5 requests in 3 files are valid",
    ]


async def test_github_is_told_the_line_of_the_value_in_its_own_escapes(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    done = await igsend("validate", ".", "--format", "github", folder=tmp_path)
    assert done.code == 1
    assert done.out.splitlines() == [
        "::error file=bad%2C 100%25.json,line=7,col=13,"
        "title=request b%2C /message/text::must not be empty",
        "::error file=more/array.ndjson,line=18,col=15,"
        "title=request f%2C /message/text::must not be empty",
        "::error file=more/lines.jsonl,line=3,col=83,"
        "title=request d%2C /message/text::must not be empty",
        "3 of 6 requests in 4 files are valid",
    ]


async def test_github_gets_paths_from_the_top_of_the_repository(tmp_path: Path) -> None:
    put(tmp_path, {"sub/bad.json": "{\n  oops\n}\n"})
    done = await igsend(
        "validate", "bad.json", "--format", "github",
        folder=tmp_path / "sub", settings={"GITHUB_WORKSPACE": str(tmp_path)},
    )  # fmt: skip
    assert done.out.startswith("::error file=sub/bad.json,line=2,col=3,title=request without an id")
    piped = await igsend("validate", "-", "--format", "github", given=b"{}")
    assert piped.out.startswith("::error line=1,col=1,title=")


async def test_lines_in_sentences_count_from_the_beginning_of_the_file() -> None:
    done = await igsend("validate", "-", "--json", given=b'{"a":1}\n{"b":1}\n{oops\n')
    assert "at line 3, column 2" in done.json_lines[2]["errors"][0]["message"]
