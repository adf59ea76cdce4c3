"""node's http in both roles: libuv, with raw epoll, accept4 and non-blocking connects."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from servers import FileServer
from world import HOST, MINION, World, free_port

pytestmark = [pytest.mark.slow, pytest.mark.needs("node")]
Files = tuple[Path, dict[str, str]]

SERVER = """
const http = require('http'), crypto = require('crypto');
const body = Buffer.alloc(3000000, 'minion');
http.createServer((request, response) => {
  if (request.method == 'GET') return response.end(body);
  const hash = crypto.createHash('sha256');
  request.on('data', data => hash.update(data));
  request.on('end', () => response.end(hash.digest('hex')));
}).listen(80, () => console.log('listening'));
"""
CLIENT = """
const http = require('http'), crypto = require('crypto');
let left = 8;
for (let i = 0; i < 8; i++)
  http.get(process.argv[1], response => {
    const hash = crypto.createHash('sha256');
    response.on('data', data => hash.update(data));
    response.on('end', () => {
      console.log(hash.digest('hex'));
      if (!--left) console.log('done');
    });
  }).on('error', error => { console.log(error.code); process.exit(1); });
"""


def test_server(world: World, files: Files) -> None:
    port = free_port()
    server = world.start(MINION, "run", "-p", f"{port}:80", "--", "node", "-e", SERVER)
    server.until("listening")
    url = f"http://127.0.0.1:{port}/"
    got = world.files / "got"
    world.run("curl", "-sS", "-o", got, url).ok()
    assert got.read_bytes() == (b"minion" * 500_000)
    assert world.run("curl", "-sS", "-T", files[0] / "1M", url).ok().out == files[1]["1M"]


def test_client(world: World, files: Files, server: FileServer) -> None:
    """Eight requests at once, in one process."""
    url = f"http://{HOST}:{server.port}/1M"
    out = world.minion("run", "--", "node", "-e", CLIENT, url).ok().out
    assert out.split() == [files[1]["1M"]] * 8 + ["done"]


def test_refused(world: World) -> None:
    result = world.minion("run", "--", "node", "-e", CLIENT, f"http://{HOST}:{free_port()}/")
    assert (result.code, result.out) == (1, "ECONNREFUSED\n")


def test_both_on_one_minion(world: World) -> None:
    world.up("m")
    on = (MINION, "run", "--on", "m", "--")
    world.start(*on, "node", "-e", SERVER).until("listening")
    out = world.run(*on, "node", "-e", CLIENT, "http://127.0.0.1/").ok().out
    assert out.split() == [hashlib.sha256(b"minion" * 500_000).hexdigest()] * 8 + ["done"]
