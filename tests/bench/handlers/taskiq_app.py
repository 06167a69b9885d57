"""taskiq with taskiq-aio-pika: `taskiq worker`, uvloop (it takes it by itself), one process.

Set for speed: no parsing of parameters by pydantic, no log line for each task, as many tasks
at once as calls, and a prefetch far above the 10 it has by default.
"""

import os

from taskiq import TaskiqEvents, TaskiqState
from taskiq_aio_pika import AioPikaBroker, Queue

from tests.bench.handlers.async_calls import Calls

broker = AioPikaBroker(
    os.environ["BENCH_AMQP_URL"],
    qos=int(os.environ["BENCH_PREFETCH"]),
    task_queues=[Queue(name=os.environ["BENCH_QUEUE"], declare=False)],
)


async def _open(state: TaskiqState) -> None:
    calls = Calls()
    await calls.open()
    state.calls = calls


async def _close(state: TaskiqState) -> None:
    await state.calls.close()


async def _send(request: dict[str, object]) -> None:
    await broker.state.calls.send(request)


broker.add_event_handler(TaskiqEvents.WORKER_STARTUP, _open)
broker.add_event_handler(TaskiqEvents.WORKER_SHUTDOWN, _close)
broker.task(task_name="send")(_send)
