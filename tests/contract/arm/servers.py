"""Small servers on real sockets, each good for one kind of trouble.

They listen on 127.0.0.1, port 0.
"""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Wire:
    """One connection as a server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        """Read one request, with its body; empty when the client hung up first."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            return getattr(error, "partial", b"")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return head + await self.reader.readexactly(length)

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self, status: int, body: bytes = b"", *lines: str) -> None:
        head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *lines]
        await self.say("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def reset(self) -> None:
        """Close with a reset, whatever is still unsent."""
        self.writer.transport.abort()

    async def hang(self) -> None:
        """Say nothing until the client goes away."""
        await self.reader.read()


@dataclass
class Listener:
    """A server that keeps what it heard."""

    port: int = 0
    connections: int = 0
    heard: list[bytes] = field(default_factory=list)
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


Serve = Callable[[Wire, Listener], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[Listener]:
    """Serve each connection with `serve` while the block runs; all of them are over afterwards."""
    listener = Listener(scheme="https" if tls else "http")
    open_ones: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ones[task] = writer
        listener.connections += 1
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            try:
                await serve(Wire(reader, writer), listener)
            finally:
                writer.close()
                await writer.wait_closed()
        del open_ones[task]

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        for writer in open_ones.values():
            writer.transport.abort()
        if open_ones:
            await asyncio.wait(open_ones)


def answering(status: int, body: bytes = b"", *lines: str) -> Serve:
    """Answer every request of a connection alike."""

    async def serve(wire: Wire, listener: Listener) -> None:
        while request := await wire.request():
            listener.heard.append(request)
            await wire.answer(status, body, *lines)

    return serve


def saying(*pieces: bytes) -> Serve:
    """Read a request, say these bytes, and close."""

    async def serve(wire: Wire, listener: Listener) -> None:
        listener.heard.append(await wire.request())
        await wire.say(*pieces)

    return serve


async def resetting(wire: Wire, listener: Listener) -> None:
    """Read a request and reset the connection."""
    listener.heard.append(await wire.request())
    wire.reset()


async def silent(wire: Wire, listener: Listener) -> None:
    """Read whatever comes and say nothing."""
    listener.heard.append(await wire.request())
    await wire.hang()


async def deaf(wire: Wire, listener: Listener) -> None:
    """Take whatever bytes come until the client goes away, and keep them."""
    listener.heard.append(await wire.reader.read())


def certificate(
    folder: Path, *, name: str = "127.0.0.1", days: int = 1, hosts: Iterable[str] = ()
) -> ssl.SSLContext:
    """Make a certificate that signs itself, as `folder/ca.pem`; return a server's context.

    It is good for the address `name`, and for `hosts`.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    until = start + dt.timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(name)), *map(x509.DNSName, hosts)]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = folder / "ca.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = folder / "key.pem"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return context


def trusting(folder: Path) -> ssl.SSLContext:
    """Return a client's context that trusts `folder/ca.pem` and nothing else."""
    return ssl.create_default_context(cafile=str(folder / "ca.pem"))
