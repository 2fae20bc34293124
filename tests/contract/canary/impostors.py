"""Servers that say to everybody what they were told: an Azure, a PostgreSQL, a proxy.

Each runs in threads of its own, on 127.0.0.1, port 0, while a block runs: the command line has its
own loop.
"""

import json
import socketserver
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import ClassVar

_SSL_REQUEST = 80_877_103


@contextmanager
def listening(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    """Serve while the block runs; yields the port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


class Parrot(socketserver.StreamRequestHandler):
    """An Azure that answers every request with all that it was told, in one of many forms."""

    status: ClassVar = 400
    form: ClassVar = "error"
    timeout = 5

    def handle(self) -> None:
        """Answer one request."""
        lines = []
        while (line := self.rfile.readline(65_536)).strip():
            lines.append(line.decode("latin-1").strip())
        request = lines[0] if lines else ""
        url = request.split(" ")[1] if request.count(" ") > 1 else "/"
        said = "\n".join(lines)
        head, body = self.forms(said, url)[self.form]
        content = body.encode()
        answer = [f"HTTP/1.1 {self.status} X", f"Content-Length: {len(content)}", *head, "", ""]
        self.wfile.write("\r\n".join(answer).encode("latin-1") + content)

    def forms(self, said: str, url: str) -> dict[str, tuple[list[str], str]]:
        """Return the header lines and the body of each form."""
        bearer = next((x for x in said.split("\n") if x.lower().startswith("authorization")), "")
        token = bearer.rpartition(" ")[2]
        return {
            "error": ([], json.dumps({"error": {"code": "Bad", "message": f"you said {said}"}})),
            "code": ([], json.dumps({"error": {"code": f"Bad{token}", "message": "no"}})),
            "detail": (
                [],
                json.dumps(
                    {
                        "error": {
                            "code": "1",
                            "message": "see details",
                            "details": [{"code": "X", "message": f"token {token} refused"}],
                        }
                    }
                ),
            ),
            "nested": ([], json.dumps({"error": {"code": "B", "message": json.dumps(said)}})),
            "page": ([], f"<html>{said}</html>"),
            "redirect": ([f"Location: http://127.0.0.1:1/{token}?{url}"], ""),
            "headers": ([f"Retry-After: {token}", f"x-ms-request-id: {token}"], "{}"),
            "next": ([], json.dumps({"value": [], "nextLink": f"http://{token}@x/?s={token}"})),
            "entry": ([], json.dumps({"value": [{"id": f"/x/{token}", "name": token}]})),
            "cut": ([f"X-Said: {token}"], json.dumps({"value": token})[:-1]),
        }


class Teller(socketserver.StreamRequestHandler):
    """A PostgreSQL that asks for the password in clear, and tells it in its refusal."""

    timeout = 5

    def handle(self) -> None:
        """Go through one start of a session."""
        length, code = struct.unpack("!ii", self.rfile.read(8))
        if code == _SSL_REQUEST:
            self.wfile.write(b"N")
            length, code = struct.unpack("!ii", self.rfile.read(8))
        self.rfile.read(length - 8)
        self.wfile.write(b"R" + struct.pack("!ii", 8, 3))
        self.rfile.read(1)
        (length,) = struct.unpack("!i", self.rfile.read(4))
        told = self.rfile.read(length - 4).rstrip(b"\0")
        fields = (b"SFATAL", b"VFATAL", b"C28P01", b"Mwhat is " + told + b", kim?", b"D" + told)
        content = b"".join(each + b"\0" for each in fields) + b"\0"
        self.wfile.write(b"E" + struct.pack("!i", len(content) + 4) + content)


class Babbler(socketserver.StreamRequestHandler):
    """Something that is no PostgreSQL."""

    timeout = 5

    def handle(self) -> None:
        """Say something, whatever was asked."""
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class Mute(socketserver.StreamRequestHandler):
    """It hangs up at once."""

    def handle(self) -> None:
        """Say nothing."""
