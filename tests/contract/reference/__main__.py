"""Writes what is made from the schemas and the topology: the AsyncAPI document, the page."""

from tests.contract.corpus import EXAMPLES
from tests.contract.reference.page import page
from worker.asyncapi.document import asyncapi_document
from worker.asyncapi.yaml import yaml_of
from worker.rabbit.names import Names

ROOT = EXAMPLES.parents[1]

(ROOT / "schemas" / "asyncapi.yaml").write_text(yaml_of(asyncapi_document(Names("ig", 8))))
(ROOT / "docs" / "reference.md").write_text(page())
