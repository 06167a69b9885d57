"""A process that owns a RabbitMQ and a Redis node until it is ended: `python -m` this module.

Says on one line of JSON what it started, then waits.
"""

import asyncio
import json
import signal
import sys

from worker.local.rabbitmq import private_rabbitmq
from worker.local.redis import private_redis
from worker.local.termination import cancelled_by_sigterm


async def own_nodes() -> None:
    with cancelled_by_sigterm():
        async with private_redis() as redis, private_rabbitmq() as rabbitmq:
            started = {
                "pids": [*redis.pids, *rabbitmq.pids],
                "directories": [str(redis.directory), str(rabbitmq.directory)],
            }
            sys.stdout.write(json.dumps(started) + "\n")
            sys.stdout.flush()
            await asyncio.Event().wait()


if __name__ == "__main__":
    # Shells start background jobs, and so what those start, deaf to SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(own_nodes())
