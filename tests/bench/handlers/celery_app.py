"""Celery: `celery worker`, its thread pool, one process.

Prefork would need a process for each call under way. Set for speed: quorum queue, late acks, no
results, no events, no gossip, mingle or heartbeat.
"""

import os

from celery import Celery

from tests.bench.handlers.thread_calls import Calls

_queue = os.environ["BENCH_QUEUE"]
app = Celery("bench", broker=os.environ["BENCH_AMQP_URL"])
app.conf.update(
    task_default_queue=_queue,
    task_default_queue_type="quorum",
    task_acks_late=True,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_send_task_events=False,
    worker_prefetch_multiplier=max(
        1, int(os.environ["BENCH_PREFETCH"]) // int(os.environ["BENCH_THREADS"])
    ),
    worker_enable_remote_control=False,
    worker_hijack_root_logger=True,
    broker_connection_retry_on_startup=True,
)
app.task(name="send", ignore_result=True)(Calls().send)
