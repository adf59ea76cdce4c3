"""vsftpd: a process for each client that is chrooted and another user's, and
opens sockets for data by itself or through a privileged parent (active mode: from port 20)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from daemons import as_root, given_to, on_minion, run_on_host, wait_answer
from servers import sha256
from world import MINION, User, World, free_port

pytestmark = [pytest.mark.slow, as_root, pytest.mark.needs("vsftpd", "curl")]

CONFIG = """
listen=YES
background=NO
listen_port=21
anonymous_enable=YES
no_anon_password=YES
anon_root={root}
ftp_username={user}
nopriv_user={user}
secure_chroot_dir={empty}
write_enable=YES
anon_upload_enable=YES
anon_umask=022
pasv_min_port={data}
pasv_max_port={data}
connect_from_port_20=YES
vsftpd_log_file={log}
xferlog_enable=YES
dual_log_enable=YES
log_ftp_protocol=YES
"""


@pytest.fixture
def at(world: World, plain_user: User | None, files: tuple[Path, dict[str, str]]) -> str:
    """Where it serves, for clients on the host: the folder is `files`/ftp, with 1M in it."""
    assert plain_user is not None
    root, empty = world.files / "ftp", world.files / "empty"
    root.mkdir()
    empty.mkdir()
    run_on_host("usermod", "-d", "/", plain_user.name)  # it must have a home
    uploads = given_to(plain_user.name, root / "pub")
    shutil.copy(files[0] / "1M", uploads)
    port, data = free_port(), free_port()
    config = world.files / "vsftpd.conf"
    config.write_text(
        CONFIG.format(
            root=root, empty=empty, user=plain_user.name, data=data, log=world.files / "log"
        )
    )
    world.up("m", "-p", f"{port}:21", "-p", f"{data}:{data}")
    on_minion(world, "m", "vsftpd", config)
    wait_answer(port)
    return f"ftp://127.0.0.1:{port}/pub"


def both_ways(world: World, files: tuple[Path, dict[str, str]], *curl: str | Path) -> None:
    """curl's last argument is the folder's address."""
    got, sent = world.files / "got", world.files / "ftp" / "pub" / "sent"
    *command, address = curl
    world.run(*command, "-o", got, f"{address}/1M", timeout_s=60).ok()
    assert sha256(got) == files[1]["1M"]
    world.run(*command, "-T", files[0] / "1M", f"{address}/sent", timeout_s=60).ok()
    assert sha256(sent) == files[1]["1M"]
    sent.unlink()
    listed = world.run(*command, f"{address}/", timeout_s=60).ok().out
    assert listed.split()[-1] == "1M"
    log = (world.files / "log").read_text()
    assert "FAIL" not in log, log
    assert not world.status("m")["internal_errors"]


CURL = ("curl", "-sS", "-m", "30")


def test_passive_from_the_host(world: World, at: str, files: tuple[Path, dict[str, str]]) -> None:
    both_ways(world, files, *CURL, "--ftp-skip-pasv-ip", at)


def test_client_on_the_same_minion(
    world: World, at: str, files: tuple[Path, dict[str, str]]
) -> None:
    """Active mode, too: the server connects to its client, from port 20."""
    assert at
    for ways in ((), ("-P", "-")):
        on = (MINION, "run", "--on", "m", "--", *CURL, *ways)
        both_ways(world, files, *on, "ftp://127.0.0.1/pub")
