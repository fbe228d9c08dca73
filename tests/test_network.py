"""The network is shut in tests: this file would notice if it were not."""

from __future__ import annotations

import socket

import pytest

from tests.conftest import NetworkShut


def test_another_machine_can_not_be_reached():
    with socket.socket() as link, pytest.raises(NetworkShut):
        link.connect(("192.0.2.1", 80))


def test_the_name_of_another_machine_is_not_looked_up():
    with pytest.raises(NetworkShut):
        socket.getaddrinfo("example.com", 80)


def test_this_machine_can_be_reached():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()):
            pass
