"""What a request says when it asks the gate."""

from tests.support.builders import a_request
from worker.core.ask import Ask
from worker.core.delivery import Lane
from worker.core.kind import Bucket
from worker.core.progress import Progress


def test_the_next_part_names_the_limit() -> None:
    image = {"attachment": {"type": "image", "payload": {"url": "https://example.com/a.png"}}}
    request = a_request(messages=[{"text": "hello"}, image])
    for sent, bucket in [((), Bucket.TEXT), (("mid",), Bucket.MEDIA)]:
        assert Ask(request, None, Progress(sent=sent), Lane.BULK).bucket is bucket
