"""Scripts that the tests of the store run."""

from worker.gate.redis.script import Script

ECHO = Script("echo", "return ARGV[1]")
# Gives how many came before it.
APPEND = Script("append", "return redis.call('RPUSH', KEYS[1], ARGV[1]) - 1")
READ_ALL = Script("read_all", "return redis.call('LRANGE', KEYS[1], 0, -1)")
COUNT = Script("count", "return redis.call('INCR', KEYS[1])")
TELL = Script("tell", "return redis.call('PUBLISH', ARGV[1], ARGV[2])")
WRONG = Script("wrong", "return redis.call('NO_SUCH_COMMAND')")
UNREADABLE = Script("unreadable", "return (")
# Needs effects replication: it asks for the time, then writes.
NOW = Script("now", "local t = redis.call('TIME') redis.call('SET', KEYS[1], t[1]) return t[1]")
