"""poll, select and epoll see connections, data, room and ends."""

import select
import socket

listener = socket.create_server(("127.0.0.1", 0))
listener.setblocking(False)

poll = select.poll()
poll.register(listener, select.POLLIN)
assert poll.poll(0) == []
client = socket.create_connection(listener.getsockname())
assert poll.poll(10000) == [(listener.fileno(), select.POLLIN)]
assert select.select([listener], [], [], 10)[0] == [listener]
server, _ = listener.accept()
assert poll.poll(0) == []
try:
    listener.accept()
except BlockingIOError:
    pass
else:
    raise AssertionError

ET = select.epoll()
ET.register(server, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
assert ET.poll(10) == [(server.fileno(), select.EPOLLOUT)]
assert ET.poll(0) == []
client.sendall(b"edge")
(event,) = ET.poll(10)
assert event[1] & select.EPOLLIN
assert ET.poll(0) == []
assert server.recv(100) == b"edge"

server.setblocking(False)
sent = 0
chunk = bytes(65536)
try:
    while True:
        sent += server.send(chunk)
except BlockingIOError:
    pass
wait = select.poll()
wait.register(server, select.POLLOUT)
got = 0
while got < sent:
    got += len(client.recv(1 << 20))
assert wait.poll(10000) == [(server.fileno(), select.POLLOUT)]

client.shutdown(socket.SHUT_WR)
ends = select.poll()
ends.register(server, select.POLLIN | select.POLLRDHUP)
assert ends.poll(10000) == [(server.fileno(), select.POLLIN | select.POLLRDHUP)]
assert server.recv(1) == b""
server.sendall(b"half closed")
assert client.recv(100) == b"half closed"
server.close()
assert client.recv(1) == b""
