"""How a store is called on the screen: a file by its name where there is little room, a URL without its password."""

import os

from sitq.sanitize import without_password


def shortened(message: str, store: str) -> str:
    """Call a store in a message by the name of its file."""
    if "://" not in store:
        message = message.replace(os.path.abspath(store), os.path.basename(store))
    return without_password(message)
