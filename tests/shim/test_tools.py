"""Real programs: curl and urllib, to a server that knows nothing of minions."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from preload import Done

Preloaded = Callable[..., Done]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"x" * 300000 if self.path == "/big" else self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_curl(preloaded: Preloaded, port: int) -> None:
    curl = shutil.which("curl")
    if not curl:
        pytest.skip("no curl")
    done = preloaded(curl, "-sS", f"http://one.test:{port}/a", f"http://127.0.0.1:{port}/b")
    assert (done.stdout, done.stderr) == ("/a/b", "")
    big = preloaded(curl, "-sS", "-Z", *[f"http://one.test:{port}/big"] * 5)
    assert (len(big.stdout), big.returncode) == (1500000, 0), big.stderr
    gone = preloaded(curl, "-sS", f"http://127.0.0.1:{port}/", MINION="/nobody/there")
    assert gone.returncode == 7
    assert preloaded(curl, "-sS", "http://nosuch.test/").returncode == 6


@pytest.mark.slow
def test_urllib(preloaded: Preloaded, port: int) -> None:
    code = "import sys, urllib.request as u\nprint(len(u.urlopen(sys.argv[1], timeout=10).read()))"
    done = preloaded(sys.executable, "-c", code, f"http://one.test:{port}/big")
    assert (done.stdout, done.stderr) == ("300000\n", "")
