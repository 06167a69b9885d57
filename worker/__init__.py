"""igsend: takes send-requests from RabbitMQ and sends them as Instagram messages."""

__version__ = "0.1.0"
