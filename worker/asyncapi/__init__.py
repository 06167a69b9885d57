"""The contract as an AsyncAPI document, made from the topology and the JSON Schemas."""
