"""What a producer may have to catch; each says what is wrong and what to do."""

from collections.abc import Sequence

from worker.core.problem import Problem


class ClientError(Exception):
    """Whatever went wrong in the client."""


class CannotConnect(ClientError):
    """RabbitMQ cannot be reached, or does not let this user in."""


class SendError(ClientError):
    """A request was not sent, or nobody knows. `id` and `account_id` are the request's."""

    def __init__(self, text: str, *, request_id: str | None, account_id: str | None) -> None:
        super().__init__(text)
        self.id = request_id
        self.account_id = account_id


class InvalidRequest(SendError):
    """It breaks the contract and was not published; `problems` is everything that is wrong."""

    def __init__(
        self, problems: Sequence[Problem], *, request_id: str | None, account_id: str | None
    ) -> None:
        self.problems = tuple(problems)
        lines = [f"{p.pointer or '(the request)'}: {p.message}" for p in problems]
        super().__init__("\n".join(lines), request_id=request_id, account_id=account_id)


class NotTaken(SendError):
    """RabbitMQ refused it: no such exchange, no queue bound to it, or no permission."""


class Unconfirmed(SendError):
    """It may or may not be there. Send the same request again: its id keeps it from going twice."""


class NoOutcome(ClientError, TimeoutError):
    """Nothing was heard in time. The request may well be waiting for its turn."""
