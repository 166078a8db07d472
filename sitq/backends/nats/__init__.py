"""The store in a JetStream stream of a NATS server."""

from sitq.backends.nats.backend import NATSBackend

__all__ = ["NATSBackend"]
