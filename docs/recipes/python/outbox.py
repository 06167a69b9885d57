"""A transactional outbox: a message goes exactly when the change that it tells of is committed.

The producer writes its request into a table, in the transaction of its own change. `relay`
publishes what the table holds, and marks it. If it dies between the two, it publishes again when
it is back; igsend knows the request by its `id` (for 48 hours) and sends it once.

    python outbox.py shop.db          # the relay, with IGSEND_AMQP_URL set

Written for SQLite, so that it runs as it is. For PostgreSQL: docs/recipes/README.md, Outbox.
"""

import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from worker.client import Client, InvalidRequest, SendError

TABLE = """
CREATE TABLE IF NOT EXISTS igsend_outbox (
    position     INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation TEXT NOT NULL,
    request      TEXT NOT NULL,
    done_at      TEXT,
    problem      TEXT
);
CREATE INDEX IF NOT EXISTS igsend_outbox_to_do ON igsend_outbox (conversation, position)
    WHERE done_at IS NULL;
"""

PUT = "INSERT INTO igsend_outbox (conversation, request) VALUES (?, ?)"

# The oldest of each conversation, so that nothing overtakes; the next of it is for the next round.
NEXT = """
SELECT position, request FROM igsend_outbox AS this
WHERE done_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM igsend_outbox AS earlier
    WHERE earlier.conversation = this.conversation
      AND earlier.position < this.position AND earlier.done_at IS NULL)
ORDER BY position LIMIT 200
"""

DONE = "UPDATE igsend_outbox SET done_at = CURRENT_TIMESTAMP, problem = ? WHERE position = ?"

IDLE_S = 0.5


def put(database: sqlite3.Connection, request: Mapping[str, Any]) -> None:
    """Have a request sent if, and only if, the caller's transaction is committed."""
    conversation = f"{request['account_id']} {json.dumps(request['recipient'], sort_keys=True)}"
    database.execute(PUT, (conversation, json.dumps(request)))


async def relay(database: sqlite3.Connection, igsend: Client) -> None:
    """Publish whatever comes into the table, for ever."""
    while True:
        if await relay_once(database, igsend) == 0:
            await asyncio.sleep(IDLE_S)


async def relay_once(database: sqlite3.Connection, igsend: Client) -> int:
    """Publish the oldest request of each conversation; give how many are done with."""
    rows = database.execute(NEXT).fetchall()
    results = await asyncio.gather(
        *(igsend.send(request.encode()) for _, request in rows), return_exceptions=True
    )
    done = 0
    for (position, _), result in zip(rows, results, strict=True):
        if isinstance(result, InvalidRequest):  # It will never be valid: keep it, and go on.
            database.execute(DONE, (str(result), position))
        elif isinstance(result, SendError):  # Not taken, or not confirmed: again in the next round.
            print(result, file=sys.stderr)
            continue
        elif isinstance(result, BaseException):
            raise result
        else:
            database.execute(DONE, (None, position))
        done += 1
    database.commit()
    return done


async def main(path: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TABLE)
        async with Client(os.environ["IGSEND_AMQP_URL"], listens=False) as igsend:
            await relay(database, igsend)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
