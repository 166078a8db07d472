"""What stores refuse, each in one wording."""

from sitq.exceptions import BackendError, ConfigurationError, TaskQueueError


def key_is_held(key: str | None, holder: str, *, running: bool) -> TaskQueueError:
    doing = "is running" if running else "is pending"
    return TaskQueueError(
        f"key {key!r} is held by task {holder}, which {doing}; wait for it, or use another key", task_id=holder
    )


def need_is_missing(name: str, needed: str) -> TaskQueueError:
    return TaskQueueError(
        f"{name} needs task {needed}, and there is none of that id; enqueue what it needs first", task_id=needed
    )


def schedule_is_foreign(name: str, reason: object = "") -> ConfigurationError:
    """Refuse a schedule that another version of sitq stored.

    Args:
        reason: what cannot be read, if that is known.
    """
    said = f" ({reason})" if reason else ""
    return ConfigurationError(
        f"schedule {name!r} is of another version of sitq and cannot be read{said}; schedule it again"
    )


def schema_is_newer(shown: str, version: int, known: int) -> BackendError:
    return BackendError(f"{shown} has schema version {version}, this sitq knows {known}; upgrade sitq-queue")


def schema_is_older(shown: str, known: int) -> BackendError:
    """Refuse a store whose schema is older or missing, and may not be made or migrated."""
    return BackendError(f"{shown} has no sitq schema of version {known}; a queue or a worker makes or migrates it")
