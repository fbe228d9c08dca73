"""A stand-in for an OpenAI-compatible server: a real HTTP server whose answers are a function."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Endpoint:
    """A server whose answers are a function; `requests` keeps what it was asked, `handler.asked` the one at hand."""

    def __init__(self, port: int = 0) -> None:
        self.behave: Callable[[BaseHTTPRequestHandler], None] = lambda handler: handler.send_error(404)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.over = threading.Event()
        """Set at the end of a test: whoever hangs lets go."""
        self.cut = threading.Event()
        """Set when the other side has closed the connection."""
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                self.asked = json.loads(self.rfile.read(length)) | {"path": self.path}
                endpoint.requests.append(self.asked)
                endpoint.keys.append(self.headers["Authorization"])
                try:
                    endpoint.behave(self)
                except OSError:
                    endpoint.cut.set()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


def begin(handler: BaseHTTPRequestHandler, kind: str = "text/event-stream") -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.end_headers()


def event(handler: BaseHTTPRequestHandler, text: str) -> None:
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunk["choices"] = [{"index": 0, "delta": {"role": "assistant", "content": text}}]  # type: ignore[assignment]
    handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
    handler.wfile.flush()


def say(*texts: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        for text in texts:
            event(handler, text)
        handler.wfile.write(b"data: [DONE]\n\n")

    return behave


def refuse(status: int, message: str = "") -> Callable[[BaseHTTPRequestHandler], None]:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        body = json.dumps({"error": {"message": message}}).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave
