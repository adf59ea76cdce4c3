"""mariadbd, which root starts for the user mysql: threads, io_uring for its files, TCP."""

from __future__ import annotations

from pathlib import Path

import pytest
from daemons import as_root, given_to, on_minion, run_on_host, sbin
from world import MINION, Program, World, free_port

pytestmark = [
    pytest.mark.slow, as_root, pytest.mark.needs("mariadbd", "mariadb", "mariadb-install-db"),
]  # fmt: skip

SMALL = (
    "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M", "--innodb-undo-tablespaces=0",
    "--innodb-data-file-path=ibdata1:4M:autoextend",
    "--innodb-temp-data-file-path=ibtmp1:4M:autoextend", "--aria-log-file-size=8M",
)  # fmt: skip
"""What it writes at first is 114 MB otherwise."""


def start(world: World, port: int) -> Program:
    folder = given_to("mysql", world.files / "db")
    own = ("--no-defaults", *SMALL, f"--datadir={folder}/data", "--user=mysql")
    run_on_host(
        sbin("mariadb-install-db"), *own, "--skip-test-db", "--skip-name-resolve",
        "--auth-root-authentication-method=normal",
    )  # fmt: skip
    grant = folder / "grant"
    grant.write_text(
        "create user 'u'@'%' identified by 'p';\ngrant all on *.* to 'u'@'%';\n"
        "create database d;\n"  # a line each: so it is read
    )
    world.up("m", "-p", f"{port}:3306")
    return on_minion(
        world, "m", "mariadbd", *own, f"--socket={folder}/sock", f"--pid-file={folder}/pid",
        f"--init-file={grant}", "--bind-address=0.0.0.0", "--port=3306", "--skip-name-resolve",
    )  # fmt: skip


def query(*address: str | Path) -> tuple[str | Path, ...]:
    client: tuple[str | Path, ...] = ("mariadb", "--no-defaults", "-u", "u", "-pp", "-N", "d")
    return (*client, "--protocol=tcp", "--connect-timeout=30", *address, "-e")


def test_queries_from_host_and_minion(world: World) -> None:
    port = free_port()
    server = start(world, port)
    err = server.popen.stderr
    assert err is not None
    said = []
    for line in err:
        said.append(line)
        if "ready for connections" in line:
            break
    else:
        raise AssertionError("".join(said))
    host = query("-h", "127.0.0.1", "-P", str(port))
    here = (MINION, "run", "--on", "m", "--", *query("-h", "127.0.0.1", "-P", "3306"))
    made = "create table a (b longblob); insert into a values (repeat('y', 3000000))"
    world.run(*host, made, timeout_s=60).ok()
    who = "select user, host from information_schema.processlist where user = 'u'"
    for client, peer in ((host, "10.0.2.2"), (here, "127.0.0.1")):
        assert world.run(*client, "select length(b) from a", timeout_s=60).ok().out == "3000000\n"
        assert len(world.run(*client, "select b from a", timeout_s=60).ok().out) == 3_000_001
        user, _, address = world.run(*client, who, timeout_s=60).ok().out.partition("\t")
        assert (user, address.partition(":")[0]) == ("u", peer)
    world.run(*here, "shutdown", timeout_s=60).ok()
    server.finish(60).ok()
    assert not world.status("m")["internal_errors"]
