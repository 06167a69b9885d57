"""The contract with producers: bytes to a document, a document to the list of its problems.

Reads its own schema files and nothing else; every function here is total and has no side effect.
"""
