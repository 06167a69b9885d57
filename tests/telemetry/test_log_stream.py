"""Lines of one turn go out together; warnings, and what no loop sees, at once."""

import asyncio
import io
import threading

from worker.telemetry.log_stream import LogStream


class Recorder(io.BytesIO):
    """Keeps every write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: object) -> int:
        assert isinstance(data, bytes)
        self.writes.append(data)
        return len(data)


async def test_lines_of_one_turn_go_out_in_one_write() -> None:
    recorder = Recorder()
    stream = LogStream(recorder)
    stream.info(b"one")
    stream.debug(b"two")
    assert recorder.writes == []
    await asyncio.sleep(0)
    assert recorder.writes == [b"one\ntwo\n"]


async def test_warning_goes_out_at_once_behind_what_came_before() -> None:
    recorder = Recorder()
    stream = LogStream(recorder)
    stream.info(b"one")
    stream.warning(b"two")
    assert recorder.writes == [b"one\ntwo\n"]
    await asyncio.sleep(0)
    assert recorder.writes == [b"one\ntwo\n"]


def test_without_a_loop_every_line_goes_out_at_once() -> None:
    recorder = Recorder()
    stream = LogStream(recorder)
    stream.info(b"one")
    stream.info(b"two")
    assert recorder.writes == [b"one\n", b"two\n"]


async def test_lines_of_other_threads_come_whole_and_all() -> None:
    recorder = Recorder()
    stream = LogStream(recorder)

    def write(thread: int) -> None:
        for number in range(500):
            stream.info(b"%d-%d" % (thread, number))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    write(4)
    await asyncio.gather(*(asyncio.to_thread(each.join) for each in threads))
    stream.flush()
    lines = b"".join(recorder.writes).splitlines()
    assert sorted(lines) == sorted(b"%d-%d" % (t, n) for t in range(5) for n in range(500))
