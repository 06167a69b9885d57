"""LAUNCHES private RabbitMQ and Redis nodes for tests and the demo; the worker never needs it."""
