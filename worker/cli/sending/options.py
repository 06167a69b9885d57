"""The options of `igsend send`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class LaneName(StrEnum):
    """Which exchange: replies that a person waits for, or campaigns."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


Source = Annotated[
    str,
    typer.Argument(
        metavar="FILE|-", help="JSON, a JSON array, or JSON lines; with --template CSV."
    ),
]
OfTemplate = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A JSON request with {{column}} where a cell goes."),
]
OfLane = Annotated[LaneName, typer.Option(help="bulk for campaigns.")]
Rate = Annotated[
    str | None, typer.Option(metavar="N/s", help="Publish no faster: 20/s, 600/m, 5000/h.")
]
Wait = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=0, help="Wait this long for outcomes.")
]
OfFailed = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A new file for the lines that failed, as they were."),
]
DryRun = Annotated[bool, typer.Option(help="Print what would be sent; no broker.")]
Skip = Annotated[
    int, typer.Option(metavar="N", min=0, help="Not the first N: a stopped run says them.")
]
Timeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", min=0.1, help="Give up when RabbitMQ confirms nothing for so long."
    ),
]
Delimiter = Annotated[
    str | None, typer.Option(metavar="CHARACTER", help="Of the CSV; found out otherwise.")
]
Encoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of the CSV, like cp1252; UTF-8 otherwise.")
]
Json = Annotated[bool, typer.Option("--json", help="One outcome per line.")]
