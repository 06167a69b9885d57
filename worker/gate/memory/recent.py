"""Message ids of a conversation's last sends, so that a check takes none of them for another."""

from collections import OrderedDict

from worker.core.request import SendRequest

# The Conversations API shows details of the 20 newest messages.
KEPT_IDS = 20
MOST_CONVERSATIONS = 10_000


class Recent:
    """Bounded: the conversations that were quiet longest are forgotten first."""

    def __init__(self) -> None:
        self._ids: OrderedDict[tuple[str, str], tuple[str, ...]] = OrderedDict()

    def add(self, request: SendRequest, message_ids: tuple[str | None, ...]) -> None:
        """Note what the API called the parts of the request."""
        known = self._ids.get(request.conversation, ())
        new = [each for each in message_ids if each is not None]
        self._ids[request.conversation] = (*known, *new)[-KEPT_IDS:]
        self._ids.move_to_end(request.conversation)
        if len(self._ids) > MOST_CONVERSATIONS:
            self._ids.popitem(last=False)

    def of(self, request: SendRequest) -> frozenset[str]:
        return frozenset(self._ids.get(request.conversation, ()))
