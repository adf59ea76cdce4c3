"""The command, and the ways a program gets onto a minion."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from servers import FileServer, Peer, sha256
from world import HOST, MINION, World, eventually, free_port, wait_exit

Files = tuple[Path, dict[str, str]]
pytestmark = pytest.mark.slow


def fetch(port: int, name: str = "10k", host: str = HOST) -> list[str]:
    return ["curl", "-sS", "-o", "got", f"http://{host}:{port}/{name}"]


def got(world: World, files: Files, name: str = "10k") -> bool:
    return sha256(world.files / "got") == files[1][name]


# -- run


def test_a_private_minion(world: World, files: Files, server: FileServer) -> None:
    world.minion("run", "--", *fetch(server.port)).ok()
    assert got(world, files)
    assert not world.processes()
    assert [p.name for p in world.runtime.iterdir()] == ["launcher"]


@pytest.mark.parametrize(("script", "status"), [
    ("exit 0", 0), ("exit 7", 7), ("exit 22", 22), ("kill -TERM $$", 143), ("kill -KILL $$", 137),
    ("kill -SEGV $$", 139),
])  # fmt: skip
def test_the_exit_status_is_the_programs(world: World, script: str, status: int) -> None:
    assert world.minion("run", "--", "sh", "-c", script).code == status
    assert world.sh(f"minion run -- sh -c '{script}'; echo $?").out.split()[-1] == str(status)


def test_curls_exit_status(world: World, server: FileServer) -> None:
    url = f"http://{HOST}:{server.port}/none"
    assert world.minion("run", "--", "curl", "-sSf", url).code == 22


def test_a_program_that_cannot_be_run(world: World) -> None:
    result = world.minion("run", "--", "no-such-program")
    assert (result.code, result.err) == (127, "minion: no-such-program: command not found\n")
    plain = world.files / "plain"
    plain.write_text("not a program")
    result = world.minion("run", "--", str(plain))
    assert (result.code, result.err) == (126, f"minion: {plain}: Permission denied\n")


def test_stdin_stdout_stderr_pass_through(world: World) -> None:
    program = world.start(MINION, "run", "--", "sh", "-c", "cat; echo bad >&2", stdin=True)
    program.say("first\n")
    program.until("first")
    program.say("second\n")
    assert program.popen.stdin is not None
    program.popen.stdin.close()
    program.popen.stdin = None
    result = program.finish()
    assert (result.code, result.out, result.err) == (0, "first\nsecond\n", "bad\n")


@pytest.mark.parametrize("on", [False, True])
def test_arguments_and_environment_pass_unchanged(world: World, on: bool) -> None:
    where: list[str] = []
    if on:
        world.up("m")
        where = ["--on", "m"]
    result = world.minion("run", *where, "--", "printf", "%s|", "a b", "--netdev", "-p", "$X", "")
    assert result.ok().out == "a b|--netdev|-p|$X||"
    result = world.run(
        MINION, "run", *where, "--", "sh", "-c", 'echo "$FOO"; pwd', env={"FOO": "a  b"}
    )
    assert result.ok().out == f"a  b\n{world.files}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_run_goes_to_the_program(world: World, number: int) -> None:
    script = f"trap 'echo caught; exit 5' {signal.Signals(number).name[3:]}; echo ready; "
    script += "while :; do read x || sleep 0.05; done"
    program = world.start(MINION, "run", "--", "sh", "-c", script)
    program.until("ready")
    program.signal(number)
    result = program.finish()
    assert result.code == 5
    assert "caught" in result.out
    assert not world.processes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_program_and_minion(world: World, number: int) -> None:
    """A terminal sends SIGINT to both; SIGTERM comes to `minion run` alone."""
    with Peer(lambda connection: connection.recv(1)) as peer:
        program = world.start(
            MINION, "run", "--", "python3", "-c",
            "import socket, signal\n"
            "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
            f"s = socket.create_connection(('{HOST}', {peer.port}))\n"
            "print('ready')\ns.recv(1)",
        )  # fmt: skip
        program.until("ready")
        if number == signal.SIGINT:
            os.killpg(program.pid, number)
        else:
            os.kill(program.pid, number)
        assert program.finish(10).code == 128 + number
    assert not world.processes()
    assert [p.name for p in world.runtime.iterdir()] == ["launcher"]


def test_what_was_written_before_exit_arrives(world: World) -> None:
    """The program is gone at once; its bytes are still the minion's to deliver."""
    size = 3_000_000
    arrived: list[int] = []

    def count(connection: socket.socket) -> None:
        total = 0
        while data := connection.recv(1 << 16):
            total += len(data)
        arrived.append(total)

    program = (
        "import socket; s = socket.create_connection(('{}', {})); "
        "s.sendall(bytes({})); import os; os._exit(0)"
    )
    for where in ([], ["--copy", "serial"]):
        with Peer(count) as peer:
            code = program.format(HOST, peer.port, size)
            world.minion("run", *where, "--", "python3", "-c", code).ok()
            eventually("the bytes", lambda: arrived)
        assert arrived.pop() == size
        assert not peer.errors


def test_shell_pipelines(world: World, server: FileServer, files: Files) -> None:
    script = f"curl -s http://{HOST}:{server.port}/1M | cat | sha256sum"
    assert files[1]["1M"] in world.minion("run", "--", "sh", "-c", script).ok().out


# -- -p


def test_a_published_server(world: World, files: Files) -> None:
    port = free_port()
    program = world.start(
        MINION, "run", "-p", f"{port}:80", "--",
        "python3", "-m", "http.server", "80", "--directory", files[0],
    )  # fmt: skip
    program.until("Serving HTTP")

    for _ in range(3):
        world.run(*fetch(port, "1M", "127.0.0.1")).ok()
        assert got(world, files, "1M")


def test_two_published_ports(world: World, files: Files) -> None:
    ports = [free_port(), free_port()]
    world.up("m", "-p", f"{ports[0]}:8001", "-p", f"127.0.0.1:{ports[1]}:8002")
    for inner in ("8001", "8002"):
        server = world.start(
            MINION, "run", "--on", "m", "--",
            "python3", "-m", "http.server", inner, "--directory", files[0],
        )  # fmt: skip
        server.until("Serving HTTP")
    for port in ports:
        world.run(*fetch(port, "10k", "127.0.0.1")).ok()
        assert got(world, files)


def test_a_published_port_without_a_server(world: World) -> None:
    port = free_port()
    world.up("m", "-p", f"{port}:80")
    code = world.run("curl", "-sS", f"http://127.0.0.1:{port}/").code
    assert code in (7, 52, 56)  # reset while it looks whether it is connected, or later


# -- other ways onto a minion


def test_named_minions(world: World, files: Files, server: FileServer) -> None:
    world.up("web")
    world.minion("run", "--on", "web", "--", *fetch(server.port)).ok()
    assert got(world, files)
    env = {"MINION": "web", "LD_PRELOAD": world.library()}
    world.run(*fetch(server.port), env=env).ok()
    assert got(world, files)
    assert world.status("web")["stack"]["tcp"]["active_opens"] == 2
    assert "web" in world.minion("status").ok().out
    assert "10.0.2.15" in world.minion("status", "web").ok().out
    assert "is up, pid" in world.minion("logs", "web").ok().out
    pid = world.pid_of("web")
    world.minion("down", "web").ok()
    wait_exit(pid, 10)
    assert "no minion is up" in world.minion("status").ok().out


def test_the_environment_for_a_shell(world: World, files: Files, server: FileServer) -> None:
    """The bare library name, as the issue writes it."""
    world.up("default")
    curl = " ".join(fetch(server.port))
    world.sh(f'eval "$(minion env)"; LD_PRELOAD=libminion.so {curl}').ok()
    assert got(world, files)
    assert world.status("default")["stack"]["tcp"]["active_opens"] == 1


def test_server_and_client_over_the_minions_loopback(world: World, files: Files) -> None:
    world.up("m")
    server = world.start(
        MINION, "run", "--on", "m", "--", "python3", "-m", "http.server", "80",
        "--bind", "127.0.0.1", "--directory", files[0],
    )  # fmt: skip
    server.until("Serving HTTP")
    world.minion("run", "--on", "m", "--", *fetch(80, "20M", "127.0.0.1")).ok()
    assert got(world, files, "20M")
    status = world.status("m")
    assert status["stack"]["lo"]["tx"] > 0
    world.minion("run", "--on", "m", "--", *fetch(80, "10k", "localhost")).ok()
    assert got(world, files)


# -- automatic start


def test_the_first_socket_starts_a_minion(world: World, files: Files, server: FileServer) -> None:
    library = world.library()
    for _ in range(2):
        world.run(*fetch(server.port), env={"LD_PRELOAD": library}).ok()
        assert got(world, files)
    status = world.status("default")
    assert status["stack"]["tcp"]["active_opens"] == 2


def test_an_automatic_minion_leaves_after_its_last_client(world: World, server: FileServer) -> None:
    """Ten seconds after, say the documents."""
    world.run(*fetch(server.port), env={"LD_PRELOAD": world.library()}).ok()
    pid = int((world.runtime / "default" / "lock").read_text())
    wait_exit(pid, 20)
    assert not world.names()
    world.run(*fetch(server.port), env={"LD_PRELOAD": world.library()}).ok()  # and starts again


def test_racing_starters_get_one_minion(world: World, files: Files, server: FileServer) -> None:
    env = {"LD_PRELOAD": world.library()}
    url = f"http://{HOST}:{server.port}/10k"
    curls = [
        world.start("curl", "-sS", "-o", world.files / f"got{n}", url, env=env) for n in range(6)
    ]
    for number, curl in enumerate(curls):
        result = curl.finish().ok()
        assert not result.err
        assert sha256(world.files / f"got{number}") == files[1]["10k"]
    status = world.status("default")
    assert status["stack"]["tcp"]["active_opens"] == 6
    eventually("one minion", lambda: list(world.processes()) == [status["pid"]])


def test_an_automatic_start_takes_the_options_of_up(
    world: World, files: Files, server: FileServer
) -> None:
    """A minion that was killed comes back as it was."""
    world.up("m", "--copy", "serial", "--ram", "32")
    pid = world.pid_of("m")
    os.kill(pid, signal.SIGKILL)
    wait_exit(pid, 10)
    env = {"LD_PRELOAD": world.library(), "MINION": "m"}
    world.run(*fetch(server.port), env=env).ok()
    assert got(world, files)
    options = world.status("m")["options"]
    assert (options["copy"], options["ram_mib"]) == ("serial", 32)


def test_import_is_the_monkeypatch(world: World, files: Files, server: FileServer) -> None:
    world.up("default")
    code = (
        "import minionsocket, urllib.request, hashlib; "
        f"data = urllib.request.urlopen('http://{HOST}:{server.port}/1M').read(); "
        "print(hashlib.sha256(data).hexdigest())"
    )
    assert world.run(sys.executable, "-c", code).ok().out.strip() == files[1]["1M"]
    assert world.status("default")["stack"]["tcp"]["active_opens"] == 1
