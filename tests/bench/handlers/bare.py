"""The straightforward loop that igsend is measured against: take, POST, ack, and nothing else."""

import asyncio
import os
import signal

import aio_pika
import aiohttp
import orjson
import uvloop
from aio_pika.abc import AbstractIncomingMessage

_HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer IGAAbench"}


async def _run() -> None:
    sink = os.environ["BENCH_SINK_URL"]
    permits = asyncio.Semaphore(int(os.environ["BENCH_IN_FLIGHT"]))
    is_over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, is_over.set)
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector, headers=_HEADERS) as session,
        await aio_pika.connect(os.environ["BENCH_AMQP_URL"]) as connection,
    ):

        async def handle(message: AbstractIncomingMessage) -> None:
            request = orjson.loads(message.body)
            content = {"recipient": request["recipient"], "message": request["message"]}
            url = f"{sink}/v23.0/{request['account_id']}/messages"
            async with permits, session.post(url, data=orjson.dumps(content)) as answer:
                await answer.read()
                answer.raise_for_status()
            await message.ack()

        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=int(os.environ["BENCH_PREFETCH"]))
        queue = await channel.get_queue(os.environ["BENCH_QUEUE"], ensure=False)
        await queue.consume(handle)
        await is_over.wait()


if __name__ == "__main__":
    uvloop.run(_run())
