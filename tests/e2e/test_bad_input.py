"""Bad input: a one-line error that says what to do, and nothing else lost."""

from __future__ import annotations

import array
import contextlib
import os
import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from networks import TUN, network
from servers import FileServer, sha256
from world import HOST, MINION, SOON_S, World, eventually, free_port

Files = tuple[Path, dict[str, str]]
pytestmark = pytest.mark.slow

REQUEST = struct.Struct("=II16siiiI")
REPLY = struct.Struct("=IIiiI")
ABI, SOCKET, BIND, LISTEN, CONNECT, GETADDRINFO, STATUS, ADOPT = 2, 1, 2, 3, 4, 11, 14, 16
EPROTO, EINVAL, ECONNRESET = 71, 22, 104


def one_line(text: str, *words: str) -> None:
    assert text.startswith("minion: ") or "usage: minion" in text, text
    assert text.startswith("usage") or text.count("\n") == 1, text
    for word in words:
        assert word in text, text


# -- the command


@pytest.mark.parametrize(("argv", "words"), [
    (["up", "m", "--netdev", "wifi"], ["--netdev wifi", "use user or tap:"]),
    (["up", "m", "--netdev", "tap:"], ["interface name"]),
    (["up", "m", "--netdev", "tap:a/b"], ["interface name"]),
    (["up", "m", "--netdev", "tap:much-too-long-a-name"], ["interface name"]),
    (["up", "m", "--netdev", "tap:x,10.0.0.1/99"], ["ADDRESS/LENGTH"]),
    (["up", "m", "-p", "80"], ["-p 80", "HOSTPORT:PORT"]),
    (["up", "m", "-p", "0:80"], ["HOSTPORT:PORT"]),
    (["up", "m", "-p", "8080:70000"], ["HOSTPORT:PORT"]),
    (["up", "m", "-p", "nowhere:8080:80"], ["nowhere"]),
    (["up", "m", "--ram", "1"], ["--ram 1", "MiB"]),
    (["up", "m", "--ram", "99999"], ["MiB"]),
    (["up", "m", "--mtu", "10"], ["--mtu 10", "576"]),
    (["up", "m", "--noise", "2"], ["--noise", "0.01"]),
    (["up", "m", "--noise", "nan"], ["--noise", "0.01"]),
    (["up", "m", "--baud", "300"], ["--baud 300", "1200"]),
    (["up", "m", "--baud", "-1"], ["--baud -1"]),
    (["up", "m", "--dns", "no-address"], ["--dns no-address"]),
    (["up", "m", "--netdev", "tap:x", "-p", "8080:80"], ["-p works with --netdev user"]),
    (["up", "../m"], ["no name for a minion"]),
    (["up", ""], ["no name for a minion"]),
    (["run"], ["minion run -- curl"]),
    (["run", "--on", "nobody", "--", "true"], ["'nobody'", "minion up nobody"]),
    (["status", "nobody"], ["'nobody'", "minion up nobody"]),
    (["down", "nobody"], ["'nobody'", "minion up nobody"]),
    (["logs", "nobody"], ["never up"]),
])  # fmt: skip
def test_a_command_that_cannot_be(world: World, argv: list[str], words: list[str]) -> None:
    result = world.minion(*argv)
    assert result.code == 2
    one_line(result.err, *words)
    assert not world.processes()


@pytest.mark.parametrize("argv", [
    ["--frobnicate"], ["up", "m", "--frobnicate"], ["frobnicate"], [], ["up", "m", "--copy", "x"],
    ["up", "m", "--ram", "much"], ["up", "m", "--baud", "1e3"],
])  # fmt: skip
def test_unknown_options(world: World, argv: list[str]) -> None:
    result = world.minion(*argv)
    assert result.code == 2
    assert "usage: minion" in result.err
    assert "error: " in result.err.splitlines()[-1]


def test_up_twice(world: World) -> None:
    world.up("m")
    result = world.minion("up", "m")
    assert result.code == 2
    one_line(result.err, "'m' is up already", str(world.pid_of("m")))


def test_a_port_that_is_published_already(world: World, files: Files, server: FileServer) -> None:
    port = free_port()
    world.up("m", "-p", f"{port}:80")
    for command in (["up", "other"], ["run"]):
        program = ["--", "true"] if command == ["run"] else []
        result = world.minion(*command, "-p", f"{port}:80", *program)
        assert result.code == 2
        one_line(result.err, str(port))
    got = world.files / "got"
    url = f"http://{HOST}:{server.port}/10k"
    world.minion("run", "--on", "m", "--", "curl", "-sS", "-o", got, url).ok()


def test_the_library_is_missing(world: World) -> None:
    """A package without its library: an installation that had no C compiler."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom minion.cli import commands, main\n"
        "import importlib.util\n"
        "spec = importlib.util.find_spec('minionsocket')\n"
        "spec.submodule_search_locations[:] = ['/nonexistent']\n"
        "importlib.util.find_spec = lambda name: spec\n"
        "sys.exit(main.main(['run', '--', 'true']))"
    )
    import sys

    result = world.run(sys.executable, "-c", code)
    assert result.code == 2
    one_line(result.err, "libminion.so", "pip install")


def test_a_folder_that_others_can_read(world: World) -> None:
    world.runtime.chmod(0o755)
    result = world.minion("up", "m")
    world.runtime.chmod(0o700)
    assert result.code == 2
    one_line(result.err, "0700", "MINION_DIR")


def test_a_folder_with_too_long_a_name(world: World) -> None:
    long = world.runtime / ("x" * 90)
    long.mkdir(mode=0o700)
    result = world.run(MINION, "up", "m", env={"MINION_DIR": str(long)})
    assert result.code == 2
    one_line(result.err, "too long", "MINION_DIR")


def test_a_minion_that_does_not_exist_for_the_library(world: World) -> None:
    library = world.library()
    env = {"LD_PRELOAD": library, "MINION": "/tmp/nowhere/control"}
    result = world.run("curl", "-sS", "http://10.0.2.2/", env=env)
    assert result.code == 7
    assert "no minion can be reached at /tmp/nowhere/control: none answers" in result.err
    env = {"LD_PRELOAD": library, "MINION": "-bad"}
    assert "not a name" in world.run("curl", "-sS", "http://10.0.2.2/", env=env).err


def test_no_permission_for_a_tap(user_world: World) -> None:
    if not os.path.exists(TUN):
        pytest.skip(f"no {TUN}")
    if os.access(TUN, os.R_OK | os.W_OK) and os.getuid():
        pytest.skip("everybody may use /dev/net/tun here")
    result = user_world.minion("up", "m", "--netdev", f"tap:mtx{os.getpid()}")
    assert result.code == 2
    one_line(result.err, "tap", "--netdev user")
    assert not user_world.processes()


def test_a_tap_that_is_in_use(world: World) -> None:
    net = network("tap")
    name = net.option.removeprefix("tap:").partition(",")[0]
    world.up("m", *net.options)
    result = world.minion("up", "other", "--netdev", f"tap:{name}")
    assert result.code == 2
    one_line(result.err, name, "in use")
    result = world.minion("up", "other", "--netdev", "tap:lo")
    assert result.code == 2
    one_line(result.err, "not a TAP")


# -- the control socket, while another client's transfer goes on


@contextmanager
def transfer(world: World, files: Files, server: FileServer) -> Iterator[socket.socket]:
    """A minion with a download under way, and a connection to its control socket."""
    world.up("m", "--copy", "serial")
    got = world.files / "got"
    curl = world.start(
        MINION, "run", "--on", "m", "--", "curl", "-sS", "-o", got,
        f"http://{HOST}:{server.port}/20M",
    )  # fmt: skip
    eventually("a beginning", lambda: got.exists(), 20)
    with connect(world) as sock:
        yield sock
    curl.finish().ok()
    assert sha256(got) == files[1]["20M"]
    assert world.status("m")["internal_errors"] == 0


def connect(world: World) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(SOON_S)
    sock.connect(str(world.runtime / "m" / "control"))
    return sock


def request(op: int, data: bytes = b"", ident: bytes = b"", abi: int = ABI, **more: int) -> bytes:
    length = more.get("length", len(data))
    return REQUEST.pack(abi, op, ident, more.get("a", 0), more.get("b", 0), 0, length) + data


def answer(sock: socket.socket) -> int:
    """The errno of the answer; -1: the connection was closed."""
    try:
        data = sock.recv(8192)
    except ConnectionResetError:
        return -1
    return REPLY.unpack_from(data)[3] if data else -1


def test_nonsense_on_the_control_socket(world: World, files: Files, server: FileServer) -> None:
    with transfer(world, files, server) as first:
        for message in (b"x", bytes(27), bytes(39), os.urandom(20)):  # too short
            with connect(world) as sock:
                sock.send(message)
                assert answer(sock) == -1
        for message, error in [
            (request(STATUS, abi=ABI + 1), EPROTO),
            (request(STATUS, abi=0), EPROTO),
            (request(0), EINVAL),
            (request(99), EINVAL),
            (request(0xFFFFFFFF), EINVAL),
            (request(STATUS, length=5), EINVAL),
            (request(STATUS, b"abc", length=2), EINVAL),
            (request(STATUS, length=0xFFFFFFFF), EINVAL),
            (request(BIND, bytes(16), b"A" * 16), ECONNRESET),
            (request(CONNECT, bytes(16), os.urandom(16)), ECONNRESET),
            (request(BIND, bytes(5000), b"A" * 16), EINVAL),
        ]:
            first.send(message)
            assert answer(first) == error, message[:40]
        first.send(request(STATUS))
        assert answer(first) == 0  # the connection has survived all of it


def test_nonsense_in_requests_that_are_well_formed(
    world: World, files: Files, server: FileServer
) -> None:
    """Every call with strange arguments, on a socket that exists."""
    with transfer(world, files, server) as sock:
        sock.send(request(SOCKET, a=2, b=1))
        _data, fds, _, _ = socket.recv_fds(sock, 8192, 1)
        with socket.socket(fileno=fds[0]) as end:
            name = end.getsockname()
            assert isinstance(name, bytes)
            ident = name[9:25]
            for op in (*range(2, 14), 17, 30):
                for data in (b"", b"\x02", bytes(3), b"\x02\0" + bytes(14), b"\xff" * 16,
                             bytes(4096)):  # fmt: skip
                    for a in (0, -1, 1 << 30):
                        sock.send(request(op, data, ident, a=a, b=a))
                        assert answer(sock) >= 0
        for name_asked in (b"", b".", b"a" * 4096, b"\xff\xfe", b"a..b", b"-" * 300):
            sock.send(request(GETADDRINFO, name_asked))
            assert answer(sock) >= 0


def test_descriptors_that_nobody_asked_for(world: World, files: Files, server: FileServer) -> None:
    """They are closed, and their sender is thrown out: none stays open in the minion."""
    with transfer(world, files, server):
        pid = world.pid_of("m")
        before = len(os.listdir(f"/proc/{pid}/fd"))
        reader, writer = os.pipe()
        stream, other = socket.socketpair()
        wrong = [(STATUS, [writer]), (STATUS, [writer] * 8), (STATUS, [writer] * 200),
                 (ADOPT, [writer]), (ADOPT, [stream.fileno()]), (ADOPT, [writer, writer]),
                 (SOCKET, [stream.fileno()])]  # fmt: skip
        for op, fds in wrong:
            with connect(world) as sock:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
                sock.sendmsg([request(op)], rights)
                assert answer(sock) == -1
        os.close(writer)
        stream.close()
        os.set_blocking(reader, False)
        assert os.read(reader, 1) == b""  # nobody else has the other end
        assert other.recv(1) == b""
        os.close(reader)
        other.close()
        with connect(world) as sock:
            sock.send(request(ADOPT))
            assert answer(sock) == EINVAL
        eventually("them closed", lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before)


def test_the_wrong_descriptor_with_a_socket(world: World, files: Files, server: FileServer) -> None:
    """connect and listen come with the socket's own descriptor: any other is refused."""
    pair, peer = socket.socketpair()
    with transfer(world, files, server) as sock, pair, peer:
        sock.send(request(SOCKET, a=2, b=1))
        _data, fds, _, _ = socket.recv_fds(sock, 8192, 1)
        address = b"\x02\0" + server.port.to_bytes(2, "big") + b"\x0a\0\x02\x02" + bytes(8)
        with (
            socket.socket(fileno=fds[0]) as end,
            socket.socket() as internet,
            socket.socket(socket.AF_UNIX) as alone,
            open("/dev/null") as null,
        ):
            ident = end.getsockname()[9:25]
            for op, data in ((CONNECT, address), (LISTEN, b"")):
                for wrong in (pair, internet, alone, null):
                    rights = array.array("i", [wrong.fileno()])
                    sock.sendmsg(
                        [request(op, data, ident)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
                    )
                    assert answer(sock) == EINVAL
                sock.send(request(op, data, ident))
                assert answer(sock) == EINVAL, "and none is too few"
            rights = array.array("i", [end.fileno()])
            sock.sendmsg(
                [request(CONNECT, address, ident)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
            )
            assert answer(sock) == 0
            end.settimeout(20)
            end.sendall(b"GET /10k HTTP/1.0\r\n\r\n")
            assert end.recv(4) == b"HTTP"


def test_two_requests_at_once(world: World, files: Files, server: FileServer) -> None:
    with transfer(world, files, server) as sock:
        sock.send(request(GETADDRINFO, b"no-such-name.invalid"))
        sock.send(request(STATUS))
        seen = [answer(sock) for _ in range(2)]
        assert -1 in seen or seen == [0, 0]  # refused, or the first had been answered by then


def test_a_client_that_does_not_read(world: World, files: Files, server: FileServer) -> None:
    with transfer(world, files, server) as sock:
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # full, or thrown out
            for _ in range(5000):
                sock.send(request(STATUS, abi=ABI + 1))
        world.status("m")


def test_many_connections_that_say_nothing(world: World, files: Files, server: FileServer) -> None:
    with transfer(world, files, server):
        idle = [connect(world) for _ in range(300)]
        assert world.status("m")["internal_errors"] == 0
        for sock in idle:
            sock.close()
        eventually("them gone", lambda: len(world.status("m")["clients"]) < 10)


def test_another_user_is_refused(world: World, user_world: World) -> None:
    """The folder keeps others out; if it did not, their credentials would."""
    if user_world.user is None:
        pytest.skip("needs root")
    world.up("m")
    user = user_world.user
    code = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "try: s.connect(sys.argv[1]); s.send(b'x' * 40); print(s.recv(1))\n"
        "except OSError as e: print(type(e).__name__)"
    )
    control = world.runtime / "m" / "control"
    result = user_world.run("/usr/bin/python3", "-c", code, control)
    assert result.out == "PermissionError\n", user
    for path, mode in ((world.runtime, 0o711), (control.parent, 0o711), (control, 0o666)):
        path.chmod(mode)
    result = user_world.run("/usr/bin/python3", "-c", code, control)
    for path, mode in ((world.runtime, 0o700), (control.parent, 0o700)):
        path.chmod(mode)
    assert result.out in ("b''\n", "BrokenPipeError\n", "ConnectionResetError\n"), result
    assert world.status("m")["control"]["refused"] == 1


def test_random_bytes_on_the_line_of_another(world: World, files: Files) -> None:
    """Noise at its limit, while a transfer goes on: slower, and right."""
    folder, hashes = files
    server = FileServer(folder)
    done = threading.Event()
    try:
        world.up("m", "--noise", "1e-4", "--seed", "3")
        got = world.files / "got"
        run = ("run", "--on", "m", "--", "curl", "-sS", "-o", got)
        world.minion(*run, f"http://{HOST}:{server.port}/1M").ok()
        assert sha256(got) == hashes["1M"]
    finally:
        done.set()
        server.close()


def test_status_into_a_pipe_that_closes(world: World) -> None:
    """`minion status | head -1` is no error."""
    world.up("m")
    result = world.sh("minion status m | head -1; minion status m --json | head -c 1")
    assert result.ok().err == ""


def test_a_stale_runtime_directory(world: World, files: Files, server: FileServer) -> None:
    """Leftovers of a crash: a socket nobody listens on, a lock nobody holds, broken options."""
    place = world.runtime / "m"
    place.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(place / "control"))
    (place / "lock").write_text("1\n")
    (place / "options.json").write_text("{ nonsense")
    assert world.minion("status", "m").code == 2
    assert world.minion("status").ok().out == "no minion is up\n"
    got = world.files / "got"
    env = {"LD_PRELOAD": world.library(), "MINION": "m"}
    world.run("curl", "-sS", "-o", got, f"http://{HOST}:{server.port}/10k", env=env).ok()
    assert sha256(got) == files[1]["10k"]
    shutil.copy(got, world.files / "copy")
