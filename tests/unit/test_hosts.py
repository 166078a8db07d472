"""hosts: which servers are on this machine, and so reached by nobody else."""

import socket

import pytest

from sitq.backends import backend_from_url
from sitq.backends.hosts import host_of, is_here


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1", "127.8.0.1", "::1", "/run/db", socket.gethostname()])
def test_this_machine_is_here(host: str) -> None:
    assert is_here(host)


@pytest.mark.parametrize("host", ["db.example.org", "10.0.0.1", "2001:db8::1", "0.0.0.0"])
def test_other_machines_are_elsewhere(host: str) -> None:
    assert not is_here(host)


@pytest.mark.parametrize(
    ("place", "host"),
    [("a:p@b.org:5432", "b.org"), ("[::1]:6379", "::1"), ("u@[2001:db8::1]", "2001:db8::1"), ("b.org", "b.org")],
)
def test_a_host_is_found_in_its_place(place: str, host: str) -> None:
    assert host_of(place) == host


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("postgresql://a:p@db.example.org/x", True),
        ("postgresql://a@localhost:5432,127.0.0.1/x", False),
        ("postgresql://a@localhost:5432,db.example.org/x", True),
        ("postgresql:///x", False),
        ("redis://:p@[::1]:6379/0", False),
        ("rediss://cache.example.org", True),
        ("unix:///run/redis.sock?db=0", False),
        ("nats://127.0.0.1:4222,localhost:4223", False),
        ("nats://127.0.0.1:4222,bus.example.org", True),
        ("memory://x", False),
        ("tasks.db", False),
    ],
)
def test_a_backend_tells_whether_others_reach_its_server(url: str, remote: bool) -> None:
    assert backend_from_url(url).remote is remote
