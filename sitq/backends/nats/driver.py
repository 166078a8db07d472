"""The driver, nats-py, where it has to be faster."""

from nats.aio.client import Client


class Driver(Client):
    """nats-py with a faster look at headers: its own asks of each letter whether it is a space, 23 µs a message."""

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        lines = (line.partition(":") for line in raw.decode("utf-8", "replace").split("\r\n"))
        return {name: value.strip() for name, colon, value in lines if colon}
