"""The store on a Redis or Valkey server."""

from sitq.backends.redis.backend import RedisBackend

__all__ = ["RedisBackend"]
