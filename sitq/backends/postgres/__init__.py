"""The store in a schema of a PostgreSQL database."""

from sitq.backends.postgres.backend import PostgresBackend

__all__ = ["PostgresBackend"]
