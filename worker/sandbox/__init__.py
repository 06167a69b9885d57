"""PRETENDS: a local Graph API for Instagram messaging, written from Meta's guides alone.

It shares no code with the worker it judges. Read `graph_server.py` first, then `messages_edge.py`
(one call from start to end), then the shapes, the world and the faults.
"""
