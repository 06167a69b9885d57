"""Flask: one client per process; any thread may use it.

Try it:

    IGSEND_AMQP_URL=amqp://… flask --app flask_service run
    curl -X POST 'localhost:5000/orders/4711/shipped?customer=6789012345'
"""

import os

from flask import Flask
from flask import request as call

from worker.client import InvalidRequest, NoOutcome, SendError, SyncClient, request, text

ACCOUNT = "17841405822304914"

app = Flask(__name__)
igsend = SyncClient(os.environ["IGSEND_AMQP_URL"])  # Connects at its first use.


@app.post("/orders/<int:number>/shipped")
def shipped(number: int) -> tuple[dict[str, str | None], int]:
    # An id made of what we know: a client that asks twice has it sent once.
    message = request(
        ACCOUNT,
        call.args["customer"],
        text(f"Your order {number} is on its way."),
        id=f"order-{number}-shipped",
    )
    try:
        receipt = igsend.send(message, timeout=5)
        outcome = receipt.outcome(timeout=10)
    except InvalidRequest as wrong:
        return {"error": str(wrong)}, 422
    except SendError as error:  # Not taken, or not confirmed in time: asking again is safe.
        return {"error": str(error)}, 503
    except NoOutcome:  # RabbitMQ has it, and it waits for its turn.
        return {"id": receipt.id}, 202
    return {"id": receipt.id, "status": outcome.status, "reason": outcome.reason}, 200
