"""Dramatiq: `dramatiq`, threads, one process.

Set for speed: no middleware but the retries, which make a task survive an error at all.
Its queues are classic ones.
"""

import os

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.middleware import Retries

from tests.bench.handlers.thread_calls import Calls

dramatiq.set_broker(RabbitmqBroker(url=os.environ["BENCH_AMQP_URL"], middleware=[Retries()]))
dramatiq.actor(Calls().send, actor_name="send", queue_name=os.environ["BENCH_QUEUE"])
