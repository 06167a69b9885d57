"""FastStream: `faststream run`, uvloop, one process.

Set for speed: no logger (it writes two lines a message), no dependency injection and so no
pydantic on the way, and a prefetch, without which it takes the whole queue into memory.
"""

import os

from faststream import FastStream
from faststream.rabbit import (
    Channel,
    RabbitBroker,
    RabbitQueue,
)

from tests.bench.handlers.async_calls import Calls

_calls = Calls()
_broker = RabbitBroker(
    os.environ["BENCH_AMQP_URL"],
    apply_types=False,
    logger=None,
    default_channel=Channel(
        prefetch_count=int(os.environ["BENCH_PREFETCH"]), publisher_confirms=False
    ),
)
_broker.subscriber(RabbitQueue(os.environ["BENCH_QUEUE"], durable=True, declare=False))(_calls.send)
app = FastStream(_broker, logger=None)
app.on_startup(_calls.open)
app.after_shutdown(_calls.close)
