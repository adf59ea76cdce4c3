"""http.server and urllib, both on the minion."""

import http.server
import threading
import urllib.request

import minionsocket


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode() * 1000)

    def log_message(self, *args):
        pass


with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    url = f"http://one.test:{server.server_address[1]}/path"
    for _ in range(3):
        assert urllib.request.urlopen(url, timeout=10).read() == b"/path" * 1000
    server.shutdown()
assert minionsocket.is_patched()
