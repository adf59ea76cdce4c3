"""squid, which root starts for the user proxy: client and server, and it looks for neighbours.

-N: one process.  The other way its worker is executed with uids that differ (README, Limits)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from daemons import as_root, given_to, on_minion
from servers import FileServer, sha256
from world import HOST, World, free_port, wait_http

pytestmark = [pytest.mark.slow, as_root, pytest.mark.needs("squid", "curl")]

CONFIG = """
http_port 3128
http_access allow all
cache_effective_user proxy
cache_effective_group proxy
pid_filename {dir}/pid
cache_log {dir}/cache.log
access_log stdio:{dir}/access.log
coredump_dir {dir}
visible_hostname squid.test
cache_mem 8 MB
maximum_object_size_in_memory 4 MB
memory_cache_shared off
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
"""


def test_fetched_and_cached(
    world: World, files: tuple[Path, dict[str, str]], server: FileServer
) -> None:
    folder = given_to("proxy", world.files / "squid")
    config = folder / "squid.conf"
    config.write_text(CONFIG.format(dir=folder))
    port = free_port()
    world.up("m", "-p", f"{port}:3128")
    name = f"minion{os.getpid()}"  # of what it shares
    squid = on_minion(world, "m", "squid", "-N", "-n", name, "-f", config)
    wait_http(port)
    got = world.files / "got"
    curl = ("curl", "-sSf", "-m", "30", "-x", f"127.0.0.1:{port}", "-o", got)
    address = f"http://{HOST}:{server.port}/"
    for ways, name in (((), "1M"), ((), "1M"), (("-p",), "1M")):
        world.run(*curl, *ways, address + name, timeout_s=60).ok()
        assert sha256(got) == files[1][name]
    squid.popen.terminate()
    squid.finish(20)
    access, log = (folder / "access.log").read_text(), (folder / "cache.log").read_text()
    assert len(re.findall(r"TCP_(?:MISS|MEM_HIT|HIT|REFRESH_\w+)/200 .* GET ", access)) == 2, access
    assert re.search(r"TCP_TUNNEL/200 .* CONNECT ", access), access
    assert not re.search(r"WARNING|ERROR|FATAL|failed", log), log
    assert not world.status("m")["internal_errors"]
