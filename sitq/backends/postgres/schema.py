"""Tables and functions of a PostgreSQL store, and the numbered steps that bring an older schema up to them."""

from importlib.resources import files

import asyncpg

from sitq.backends.postgres.address import Address
from sitq.backends.postgres.session import Connection
from sitq.backends.refusals import schema_is_newer, schema_is_older
from sitq.exceptions import BackendError, ConfigurationError

# A step is never edited; functions are code, and are put in place whole with each new version.
_STEPS = ("tables_1",)
_FUNCTIONS = ("common", "enqueue", "owners", "exchange", "acting", "report", "moving")
SCHEMA_VERSION = len(_STEPS)


async def prepare(connection: Connection, address: Address, *, create: bool) -> None:
    """Make the schema, or bring it up to this version; one process does, and others wait for it.

    Raises:
        BackendError: it is newer than this version knows, belongs to another program, or is missing or older without
            `create`.
    """
    if await _version(connection, address) == SCHEMA_VERSION:
        return
    if not create:
        raise schema_is_older(address.shown, SCHEMA_VERSION)
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(hashtext($1))", address.channel)
        version = await _version(connection, address)
        if version < SCHEMA_VERSION:
            await _migrate(connection, address, version)


_IDENTITY = "select store::text, current_setting('default_transaction_isolation') from sitq.meta"


async def identify(connection: Connection, address: Address) -> str:
    """Tell the store's own id.

    Raises:
        ConfigurationError: transactions do not see what others have committed meanwhile, on which the store relies.
    """
    store, isolation = await connection.fetchrow(address.sql(_IDENTITY))
    if isolation != "read committed":
        raise ConfigurationError(
            f"{address.shown} needs default_transaction_isolation 'read committed', this user has {isolation!r}; "
            "alter role"
        )
    return str(store)


async def _migrate(connection: Connection, address: Address, version: int) -> None:
    await connection.execute("set local check_function_bodies = off")  # functions call each other, in any order
    if not version:
        await connection.execute(address.sql("create schema if not exists sitq.").rstrip("."))
    for name in (*_STEPS[version:], *_FUNCTIONS):
        await connection.execute(address.sql(_script(name)))
    await connection.execute(address.sql("update sitq.meta set version = $1"), SCHEMA_VERSION)


def _script(name: str) -> str:
    return files("sitq.backends.postgres").joinpath("sql", f"{name}.sql").read_text("utf-8")


# One statement, so that no other process makes the schema between the two looks.
_LOOK = """select to_regclass($1) is not null,
  exists (select from pg_class where relnamespace = (select oid from pg_namespace where nspname = $2))"""


async def _version(connection: Connection, address: Address) -> int:
    """Read the schema's version; 0 where there is none yet."""
    is_ours, is_used = await connection.fetchrow(_LOOK, address.sql("sitq.meta"), address.schema)
    if not is_ours:
        if is_used:
            raise _of_others(address)
        return 0
    try:
        version = int(await connection.fetchval(address.sql("select version from sitq.meta")))
    except asyncpg.UndefinedColumnError as exc:
        raise _of_others(address) from exc
    if version > SCHEMA_VERSION:
        raise schema_is_newer(address.shown, version, SCHEMA_VERSION)
    return version


def _of_others(address: Address) -> BackendError:
    return BackendError(
        f"schema {address.schema} of {address.shown} holds tables of another program; name one with ?schema="
    )
