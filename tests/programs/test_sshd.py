"""sshd: a privileged monitor, and for each connection a child that is chrooted, another user's and
behind a seccomp filter; then a child as the user who logged in, which opens sockets for him."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from daemons import as_root, on_minion, run_on_host
from servers import FileServer, sha256
from world import HOST, MINION, Program, Result, User, World, eventually, free_port, wait_port

pytestmark = [
    pytest.mark.slow, as_root, pytest.mark.needs("sshd", "ssh", "scp", "ssh-keygen", "curl"),
]  # fmt: skip

CONFIG = """
Port 22
ListenAddress 0.0.0.0
HostKey {dir}/host
AuthorizedKeysFile {dir}/user.pub
StrictModes no
UsePAM no
UseDNS no
PidFile none
Subsystem sftp internal-sftp
"""


@dataclass
class Sshd:
    world: World
    user: User
    port: int
    program: Program

    def options(self) -> list[str]:
        return [
            "-F", "none", "-i", str(self.world.files / "user"),
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=30",
        ]  # fmt: skip

    def ssh(self, *more: str) -> list[str]:
        return ["ssh", *self.options(), "-p", str(self.port), f"{self.user.name}@127.0.0.1", *more]

    def scp(self, source: str | Path, target: str | Path) -> Result:
        command = ["scp", "-q", *self.options(), "-P", str(self.port)]
        return self.world.run(*command, source, target, timeout_s=60)


@pytest.fixture
def sshd(world: World, plain_user: User | None) -> Sshd:
    assert plain_user is not None
    run_on_host("usermod", "-p", "*", plain_user.name)  # no password, but not locked either
    for name in ("host", "user"):
        run_on_host("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", world.files / name)
    Path("/run/sshd").mkdir(exist_ok=True)  # where its child is locked in: compiled into it
    config = world.files / "sshd_config"
    config.write_text(CONFIG.format(dir=world.files))
    port = free_port()
    world.up("m", "-p", f"{port}:22")
    program = on_minion(world, "m", "sshd", "-D", "-e", "-f", config)
    made = Sshd(world, plain_user, port, program)
    eventually(
        "an answer of sshd's",
        lambda: world.run(*made.ssh("true"), timeout_s=60).code == 0,
    )
    return made


def test_a_command_and_files(sshd: Sshd, files: tuple[Path, dict[str, str]]) -> None:
    world, user = sshd.world, sshd.user
    folder, hashes = files
    seen = world.run(*sshd.ssh("id -u; echo $SSH_CONNECTION; cat"), timeout_s=60).ok().out.split()
    assert seen[0] == str(user.uid)
    assert (seen[1], seen[3], seen[4]) == (HOST, "10.0.2.15", "22")
    there = world.files / "there"
    there.mkdir(mode=0o777)
    there.chmod(0o777)
    remote = f"{user.name}@127.0.0.1:{there}/1M"
    sshd.scp(folder / "1M", remote).ok()
    assert sha256(there / "1M") == hashes["1M"]
    back = world.files / "back"
    sshd.scp(remote, back).ok()
    assert sha256(back) == hashes["1M"]
    sshd.program.popen.terminate()
    said = sshd.program.finish(10).err
    assert "Accepted publickey" in said
    assert "fatal" not in said
    assert not world.status("m")["internal_errors"]


def test_forwarded_ports(
    sshd: Sshd, files: tuple[Path, dict[str, str]], server: FileServer
) -> None:
    """Sockets that the user's own child opens: it has never been able to reach the minion."""
    world = sshd.world
    here, got = free_port(), world.files / "got"
    ways = ("-N", "-L", f"{here}:{HOST}:{server.port}", "-R", f"8080:127.0.0.1:{server.port}")
    ssh = world.start(*sshd.ssh("-o", "ExitOnForwardFailure=yes", *ways))
    wait_port(here)
    curl = ("curl", "-sSf", "-m", "30", "-o", got)
    world.run(*curl, f"http://127.0.0.1:{here}/1M").ok()
    assert sha256(got) == files[1]["1M"]
    world.run(MINION, "run", "--on", "m", "--", *curl, "http://127.0.0.1:8080/1M").ok()
    assert sha256(got) == files[1]["1M"]
    ssh.popen.terminate()
    assert "forwarding failed" not in ssh.finish(10).err
