"""What can go wrong with a private node, said so that the reader knows what to do next."""


class NodeError(Exception):
    """A private node did not start or died; the text ends with the last lines of its log."""


class NodeMissingError(NodeError):
    """The programs of the node are not installed; the text names the package."""
