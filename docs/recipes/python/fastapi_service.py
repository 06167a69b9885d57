"""FastAPI: one client for the whole process, and outcomes through a queue that all processes share.

Try it:

    IGSEND_AMQP_URL=amqp://… uvicorn fastapi_service:app
    curl -X POST 'localhost:8000/orders/4711/shipped?customer=6789012345'
    curl localhost:8000/orders/4711/shipped
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException

from worker.client import Client, InvalidRequest, SendError, request, text

ACCOUNT = "17841405822304914"

# Only sends: outcomes come through the queue below.
igsend = Client(os.environ["IGSEND_AMQP_URL"], listens=False)
endings: dict[str | None, str] = {}  # In yours: a table.


async def hear() -> None:
    """Note how each request ended. An event is acked when the next one is asked for."""
    async for outcome in igsend.outcomes("shop.outcomes", keys=[f"*.{ACCOUNT}"]):
        endings[outcome.id] = f"{outcome.status}: {outcome.detail}" if outcome.reason else "sent"


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with igsend, asyncio.TaskGroup() as tasks:
        hearing = tasks.create_task(hear())
        yield
        hearing.cancel()


app = FastAPI(lifespan=lifespan)


@app.post("/orders/{number}/shipped", status_code=202)
async def shipped(number: int, customer: str) -> dict[str, str]:
    # An id made of what we know: a client that asks twice has it sent once.
    message = request(
        ACCOUNT,
        customer,
        text(f"Your order {number} is on its way."),
        id=f"order-{number}-shipped",
    )
    try:
        receipt = await igsend.send(message, timeout=5)
    except InvalidRequest as wrong:
        raise HTTPException(422, str(wrong)) from None
    except SendError as error:  # Not taken, or not confirmed in time: asking again is safe.
        raise HTTPException(503, str(error)) from None
    return {"id": receipt.id}


@app.get("/orders/{number}/shipped")
async def how_it_ended(number: int) -> dict[str, str]:
    return {"outcome": endings.get(f"order-{number}-shipped", "not yet")}


@app.get("/healthz")
async def health() -> dict[str, str]:
    if igsend.trouble is not None:
        raise HTTPException(503, igsend.trouble)
    return {"status": "ok"}
