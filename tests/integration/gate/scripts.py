"""Scripts that the tests of the store run."""

from worker.gate.redis.script import Script

ECHO = Script("echo", "return ARGV[1]")
# Gives how many came before it.
APPEND = Script("append", "return redis.call('RPUSH', KEYS[1], ARGV[1]) - 1")
# The same for many at once; one that appends "wrong" is refused, and the others are not.
APPEND_MANY = Script(
    "append_many",
    """
    local replies = {}
    for n = 1, #KEYS do
      if ARGV[n] == 'wrong' then
        replies[n] = {err = 'ERR refused'}
      else
        replies[n] = redis.call('RPUSH', KEYS[n], ARGV[n]) - 1
      end
    end
    return replies
    """,
    takes_many=True,
)
READ_ALL = Script("read_all", "return redis.call('LRANGE', KEYS[1], 0, -1)")
COUNT = Script("count", "return redis.call('INCR', KEYS[1])")
TELL = Script("tell", "return redis.call('PUBLISH', ARGV[1], ARGV[2])")
WRONG = Script("wrong", "return redis.call('NO_SUCH_COMMAND')")
UNREADABLE = Script("unreadable", "return (")
# Needs effects replication: it asks for the time, then writes.
NOW = Script("now", "local t = redis.call('TIME') redis.call('SET', KEYS[1], t[1]) return t[1]")
