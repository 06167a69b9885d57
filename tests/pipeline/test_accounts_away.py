"""A source of accounts that gives no answer makes requests wait; it is no fault of theirs."""

from tests.support.pipeline import Pipeline, a_delivery
from worker.core.outcome import Postponed, Wait


async def test_request_waits_untried_while_the_source_of_accounts_cannot_be_asked() -> None:
    pipeline = Pipeline()
    pipeline.accounts.away_until = pipeline.clock.time + 5.0
    await pipeline(a_delivery())
    assert pipeline.publisher.log == ["park", "ack"]
    assert pipeline.graph.sent == []
    report = pipeline.observer.reports[-1]
    assert isinstance(report.outcome, Postponed)
    assert (report.outcome.why, report.outcome.progress.attempts) == (Wait.ACCOUNTS, 0)
