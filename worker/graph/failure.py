"""A call without a readable answer: what certainly did not leave, and what may have arrived.

By evidence alone; the kind of exception only words the sentence.
"""

import ssl

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from worker.core.send_result import GraphError, NotSent, SendResult, Unknown
from worker.graph.answer import AnswerTooLargeError
from worker.graph.evidence import Evidence

# The first that fits; exception classes are related, so the order matters.
_MEANINGS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "the API's host name could not be resolved"),
    (aiohttp.ClientConnectorCertificateError, "the API's certificate was not accepted"),
    (aiohttp.ClientSSLError, "TLS with the API failed"),
    (ssl.SSLError, "TLS with the API failed"),
    (aiohttp.ConnectionTimeoutError, "connecting to the API took too long"),
    (aiohttp.SocketTimeoutError, "the API did not answer in time"),
    (aiohttp.ClientConnectorError, "the API could not be connected to"),
    (aiohttp.ServerDisconnectedError, "the API closed the connection without an answer"),
    (aiohttp.ClientPayloadError, "the API's answer broke off"),
    (aiohttp.ClientResponseError, "the API's answer is not HTTP"),
    (HttpProcessingError, "the API's answer is not HTTP"),
    (AnswerTooLargeError, "the API's answer is larger than any it documents"),
    (aiohttp.ClientConnectionError, "the connection to the API broke"),
    (TimeoutError, "the API did not answer in time"),
    (OSError, "the connection to the API broke"),
)
_UNEXPECTED = "the call failed in an unexpected way"


def result_of_failure(error: Exception, evidence: Evidence) -> SendResult:
    """Classify a call that ended in `error`."""
    status = None if evidence.answer is None else evidence.answer.status
    meaning = meaning_of_failure(error)
    if evidence.is_written or status is not None:
        return Unknown(GraphError(f"{meaning}; it may have taken the message", http_status=status))
    return NotSent(GraphError(meaning))


def meaning_of_failure(error: Exception) -> str:
    """Say what went wrong, in our own words and with the kind of exception alone."""
    meaning = next((text for kind, text in _MEANINGS if isinstance(error, kind)), _UNEXPECTED)
    return f"{meaning} ({type(error).__name__})"
