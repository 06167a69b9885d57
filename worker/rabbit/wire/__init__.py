"""The short way for messages: frames are read and written here, beside aiormq's own.

aiormq keeps the connection, its channels and every call on them. Through its objects, queues and
tasks one message costs about 60 us of CPU in and as much out (docs/decisions.md).
"""
