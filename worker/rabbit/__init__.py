"""TALKS to RabbitMQ; the only home of aio-pika and aiormq."""
