"""Spans by OpenTelemetry, if the environment asks for them; nothing of it is imported otherwise."""
