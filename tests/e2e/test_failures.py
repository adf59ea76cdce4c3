"""What a program is told when the network fails: curl's own exit codes and messages."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest
from networks import network
from servers import Peer, read_request, reset
from world import HOST, SOON_S, World, free_port

pytestmark = pytest.mark.slow
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n"
NETDEVS = pytest.mark.parametrize("netdev", ["user", "tap"])


def curl(world: World, url: str, *options: str, where: tuple[str, ...] = ()) -> tuple[int, str]:
    result = world.minion("run", *where, "--", "curl", "-sS", "-o", "got", *options, url)
    return result.code, result.err


@NETDEVS
def test_a_closed_port_refuses_at_once(world: World, netdev: str) -> None:
    net = network(netdev)
    started = time.monotonic()
    code, text = curl(world, f"http://{net.host}:{free_port()}/", where=net.options)
    assert code == 7, text
    assert time.monotonic() - started < SOON_S
    result = world.minion(
        "run", *net.options, "--", "python3", "-c",
        f"import socket; print(socket.socket().connect_ex(('{net.host}', {free_port()})))",
    ).ok()  # fmt: skip
    assert result.out == "111\n"  # ECONNREFUSED


def test_nobody_at_an_address_of_the_network(world: World) -> None:
    """The gateway answers for the addresses it knows that nobody is at the others."""
    code, text = curl(world, "http://10.0.2.77/", "-m", "10")
    assert code in (7, 28), text


def test_nobody_on_a_tap(world: World) -> None:
    """No answer to ARP: EHOSTUNREACH, as on Linux after three tries."""
    net = network("tap")
    nobody = net.host.rpartition(".")[0] + ".77"
    code, text = curl(world, f"http://{nobody}/", "-m", "20", where=net.options)
    assert code == 7, text
    code, text = curl(world, f"http://{nobody}/", "-m", "1", where=net.options)
    assert code == 28, text
    program = f"import socket; print(socket.socket().connect_ex(('{nobody}', 80)))"
    result = world.minion("run", *net.options, "--", "python3", "-c", program)
    assert result.ok().out == "113\n"  # EHOSTUNREACH


def test_a_name_that_does_not_exist(world: World) -> None:
    code, text = curl(world, "http://no-such-name.invalid/", "-m", "20")
    assert code == 6, text
    assert "Could not resolve host" in text
    program = (
        "import socket\ntry: socket.getaddrinfo('no-such-name.invalid', 80)\n"
        "except socket.gaierror as error: print(error)"
    )
    here = world.run("python3", "-c", program).ok().out
    there = world.minion("run", "--", "python3", "-c", program).ok().out
    assert here == there == "[Errno -2] Name or service not known\n" or "try again" in here


def cut(end: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """A server that ends in the middle of its answer."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(HEAD + bytes(300_000))
        end(connection)

    return script


@NETDEVS
@pytest.mark.parametrize("copy", ["dma", "serial"])
def test_the_peer_resets_in_mid_transfer(world: World, netdev: str, copy: str) -> None:
    net = network(netdev)
    with Peer(cut(reset), net.bind if netdev == "user" else "") as peer:
        where = (*net.options, "--copy", copy)
        code, text = curl(world, f"http://{net.host}:{peer.port}/", where=where)
    assert code == 56, text
    assert "reset" in text


@NETDEVS
@pytest.mark.parametrize("copy", ["dma", "serial"])
def test_the_peer_ends_in_mid_transfer(world: World, netdev: str, copy: str) -> None:
    net = network(netdev)
    with Peer(cut(socket.socket.close), net.bind if netdev == "user" else "") as peer:
        where = (*net.options, "--copy", copy)
        code, text = curl(world, f"http://{net.host}:{peer.port}/", where=where)
    assert code == 18, text
    assert (world.files / "got").stat().st_size == 300_000  # all that was sent before has arrived


def test_the_peer_says_nothing(world: World) -> None:
    def silent(connection: socket.socket) -> None:
        read_request(connection)
        connection.recv(1)

    with Peer(silent) as peer:
        code, text = curl(world, f"http://{HOST}:{peer.port}/", "-m", "1")
    assert code == 28, text


def test_the_peer_does_not_read(world: World) -> None:
    """An upload stalls, without harm, and the time limit of the program counts."""
    with Peer(lambda connection: time.sleep(3)) as peer:
        big = world.files / "big"
        big.write_bytes(bytes(50_000_000))
        code, text = curl(world, f"http://{HOST}:{peer.port}/", "-m", "2", "-T", str(big))
    assert code == 28, text


def test_an_upload_is_reset(world: World) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.recv(100_000)
        reset(connection)

    big = world.files / "big"
    big.write_bytes(bytes(50_000_000))
    with Peer(script) as peer:
        code, text = curl(world, f"http://{HOST}:{peer.port}/", "-T", str(big), "-H", "Expect:")
    assert code in (55, 56), text
