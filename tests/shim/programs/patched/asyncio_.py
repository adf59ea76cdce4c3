"""asyncio's streams, server and client."""

import asyncio
import socket

import minionsocket  # noqa: F401


async def echo(reader, writer):
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()
    writer.close()


async def client(where, number):
    reader, writer = await asyncio.open_connection(*where)
    assert writer.get_extra_info("peername") == where
    text = b"%d" % number * 50000
    writer.write(text)
    writer.write_eof()
    assert await reader.read() == text
    writer.close()
    await writer.wait_closed()


async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    where = server.sockets[0].getsockname()
    await asyncio.gather(*(client(where, n) for n in range(10)))
    reader, writer = await asyncio.open_connection("one.test", where[1])
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    try:
        with socket.socket() as spare:
            spare.bind(("127.0.0.1", 0))
            nobody = spare.getsockname()
        await asyncio.open_connection(*nobody)
    except ConnectionRefusedError:
        pass
    else:
        raise AssertionError
    server.close()
    await server.wait_closed()


asyncio.run(main())
