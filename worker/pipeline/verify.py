"""Step 2b: a request whose earlier attempt left no result. Never sent again before it is clear."""

from worker.core.admission import Doubtful, Go
from worker.core.admitted import outcome_of_admission
from worker.core.outcome import Outcome
from worker.pipeline.in_flight import Attempt


class Verifier:
    """Asks the conversation whether the message went, and decides what that means."""

    async def __call__(self, attempt: Attempt, doubtful: Doubtful) -> Go | Outcome:
        return outcome_of_admission(doubtful, attempt.progress)
