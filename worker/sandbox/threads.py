"""The messages of each conversation, as the Conversations API would know them. Bounded memory.

Beyond `keep` conversations the ones that were quiet longest are forgotten.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from hashlib import sha256

from worker.sandbox.answers import message_like_id

# The API tells the details of the newest messages only; of older ones just that they were there.
DETAILED = 20
_KEPT_EACH = 60


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """One message; `raw` is the body it was sent with, None when the person wrote it.

    `at` is when it was written and `arrived_at` when the sandbox took it (unix seconds).
    """

    message_id: str
    at: float
    arrived_at: float
    raw: bytes | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Thread:
    """What an account and a person wrote each other."""

    account_id: str
    user_id: str
    messages: deque[ThreadMessage] = field(default_factory=deque)

    @property
    def conversation_id(self) -> str:
        """As opaque as the API's; the same for the same two."""
        return message_like_id(sha256(f"{self.account_id}/{self.user_id}".encode()).digest())

    def shown(self, *, now: float, delay_s: float) -> list[ThreadMessage]:
        """Give what a reader sees at `now`, newest first."""
        arrived = [each for each in self.messages if now - each.arrived_at >= delay_s]
        return sorted(reversed(arrived), key=lambda message: -message.at)


class Threads:
    """Finds conversations by person or id, and messages by id."""

    def __init__(self, *, keep: int = 10_000) -> None:
        self._keep = keep
        self._by_pair: OrderedDict[tuple[str, str], Thread] = OrderedDict()
        self._by_conversation: dict[str, Thread] = {}
        self._by_message: dict[str, Thread] = {}

    def add(self, account_id: str, user_id: str, message: ThreadMessage) -> None:
        """Append a message; what is beyond the bounds is forgotten."""
        pair = account_id, user_id
        thread = self._by_pair.get(pair)
        if thread is None:
            thread = self._by_pair[pair] = Thread(account_id, user_id)
            self._by_conversation[thread.conversation_id] = thread
        self._by_pair.move_to_end(pair)
        thread.messages.append(message)
        self._by_message[message.message_id] = thread
        if len(thread.messages) > _KEPT_EACH:
            del self._by_message[thread.messages.popleft().message_id]
        if len(self._by_pair) > self._keep:
            self._drop(self._by_pair.popitem(last=False)[1])

    def with_person(self, account_id: str, user_id: str) -> Thread | None:
        return self._by_pair.get((account_id, user_id))

    def of_account(self, account_id: str) -> list[Thread]:
        """Give the account's conversations, the one that was touched last first."""
        threads = reversed(self._by_pair.values())
        return [thread for thread in threads if thread.account_id == account_id]

    def by_id(self, conversation_id: str) -> Thread | None:
        return self._by_conversation.get(conversation_id)

    def holding(self, message_id: str) -> Thread | None:
        """Give the conversation that a message belongs to."""
        return self._by_message.get(message_id)

    def forget(self) -> None:
        """Drop everything."""
        for each in (self._by_pair, self._by_conversation, self._by_message):
            each.clear()

    def _drop(self, thread: Thread) -> None:
        del self._by_conversation[thread.conversation_id]
        for message in thread.messages:
            del self._by_message[message.message_id]
