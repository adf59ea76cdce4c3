"""Files through the minion with an unmodified curl: both ways, both netdevs, both copy modes."""

from __future__ import annotations

from pathlib import Path

import pytest
from networks import network
from servers import FileServer, sha256
from world import HOST, MINION, World, eventually

Files = tuple[Path, dict[str, str]]
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("netdev", ["user", "tap"])
@pytest.mark.parametrize(("copy", "name"), [("dma", "200M"), ("serial", "20M")])
def test_download_and_upload(world: World, files: Files, netdev: str, copy: str, name: str) -> None:
    """The issue's sizes: 200 MB with DMA, 20 MB over the serial line."""
    net = network(netdev)
    folder, hashes = files
    world.up("m", *net.options, "--copy", copy)
    server = FileServer(folder, net.bind)
    try:
        url = f"http://{net.host}:{server.port}/{name}"
        got = world.files / "got"
        world.minion("run", "--on", "m", "--", "curl", "-sS", "-o", got, url).ok()
        assert sha256(got) == hashes[name]
        sent = world.minion("run", "--on", "m", "--", "curl", "-sS", "-T", folder / name, url).ok()
        assert sent.out == hashes[name]
    finally:
        server.close()
    eventually("no socket left", lambda: not world.status("m")["sockets"])
    status = world.status("m")
    moved = status["board"]["dma" if copy == "dma" else "line"]
    size = (folder / name).stat().st_size
    assert moved["in_bytes" if copy == "dma" else "rx_bytes"] >= size


@pytest.mark.parametrize("copy", ["dma", "serial"])
def test_a_noisy_line(world: World, files: Files, server: FileServer, copy: str) -> None:
    """Bit errors cost frames, and nothing else."""
    folder, hashes = files
    world.up("m", "--copy", copy, "--noise", "1e-5", "--seed", "7")
    run = ("run", "--on", "m", "--", "curl", "-sS")
    url = f"http://{HOST}:{server.port}/1M"
    got = world.files / "got"
    for _ in range(3):
        world.minion(*run, "-o", got, url).ok()
        assert sha256(got) == hashes["1M"]
        assert world.minion(*run, "-T", folder / "1M", url).ok().out == hashes["1M"]
    line = world.status("m")["line"]
    if copy == "serial":  # with DMA only some kilobytes cross the line: it may have been lucky
        assert line["bits_flipped"] > 50
        assert line["driver"]["bad_frames"] + line["minion"]["bad_frames"] > 10
        assert line["driver"]["retransmitted"] + line["minion"]["retransmitted"] > 10


def test_the_issues_noise(world: World, files: Files, server: FileServer) -> None:
    world.up("m", "--copy", "serial", "--noise", "1e-6")
    got = world.files / "got"
    url = f"http://{HOST}:{server.port}/20M"
    world.minion("run", "--on", "m", "--", "curl", "-sS", "-o", got, url).ok()
    assert sha256(got) == files[1]["20M"]
    assert world.status("m")["line"]["bits_flipped"]


@pytest.mark.parametrize("copy", ["dma", "serial"])
def test_a_slow_line(world: World, files: Files, server: FileServer, copy: str) -> None:
    """10 kB over 115,200 baud take about a second with serial copies."""
    options = ("--copy", copy, "--baud", "115200")
    got = world.files / "got"
    url = f"http://{HOST}:{server.port}/10k"
    world.minion("run", *options, "--", "curl", "-sS", "-o", got, url).ok()
    assert sha256(got) == files[1]["10k"]


@pytest.mark.parametrize("copy", ["dma", "serial"])
def test_eight_curls_and_a_server_at_once(
    world: World, files: Files, server: FileServer, copy: str
) -> None:
    folder, hashes = files
    size = "20M" if copy == "dma" else "1M"
    world.up("m", "--copy", copy)
    inner = 8080  # the minion's ports are its own
    python = world.start(
        MINION, "run", "--on", "m", "--", "python3", "-m", "http.server", str(inner),
        "--directory", folder,
    )  # fmt: skip
    python.until("Serving HTTP")
    urls = [f"http://{HOST}:{server.port}/{size}", f"http://127.0.0.1:{inner}/{size}"]
    curls = [
        world.start(
            MINION, "run", "--on", "m", "--",
            "curl", "-sS", "-o", world.files / f"got{number}", urls[number % 2],
        )
        for number in range(8)
    ]  # fmt: skip
    for number, curl in enumerate(curls):
        curl.finish().ok()
        assert sha256(world.files / f"got{number}") == hashes[size]
    eventually("only the server's socket left", lambda: len(world.status("m")["sockets"]) == 1)
    assert world.status("m")["sockets"][0]["state"] == "LISTEN"
