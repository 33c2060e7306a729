"""Receivers as the world has them: a mail server, and a chat server with Slack's incoming webhooks.

In: connections on loopback. Out: what was received, in order. Never: less strict than the real ones about what they refuse.
"""

from __future__ import annotations

import base64
import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class MailServer:
    """SMTP (RFC 5321) with AUTH PLAIN and LOGIN; mail is taken from who signs in with `password` only."""

    password: str
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refused: int = 0
    port: int = 0

    def speak(self, lines: Iterator[bytes], say: Any) -> None:
        """One session."""
        say("220 mail.test ESMTP")
        recipients: list[str] = []
        is_known = False
        for line in lines:
            command = line.decode().strip()
            verb = command.upper()
            if verb.startswith("EHLO"):
                say("250-mail.test\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME")
            elif verb.startswith("AUTH PLAIN"):
                is_known = base64.b64decode(command.split()[2]).split(b"\0")[2].decode() == self.password
                self.refused += not is_known
                say("235 welcome" if is_known else "535 wrong password")
            elif verb.startswith("MAIL FROM") and not is_known:
                say("530 sign in first")
            elif verb.startswith("RCPT TO"):
                recipients.append(command[8:].strip("<>: "))
                say("250 ok")
            elif verb == "DATA":
                say("354 go ahead")
                text = b""
                for part in lines:
                    if part == b".\r\n":
                        break
                    text += part.removeprefix(b".")
                self.mails.append((recipients, email.message_from_bytes(text, policy=email.policy.default)))
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")


@contextmanager
def mail_server(password: str) -> Iterator[MailServer]:
    """It listens for the block."""
    server = MailServer(password)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            server.speak(iter(self.rfile.readline, b""), lambda text: self.wfile.write(text.encode() + b"\r\n"))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        server.port = listening.server_address[1]
        threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        listening.shutdown()


@dataclass
class ChatServer:
    """POST of an incoming webhook: a JSON object with `text` or `attachments`, answered with ok; else 400 invalid_payload."""

    url: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def chat_server() -> Iterator[ChatServer]:
    """It listens for the block; only the secret path of its webhook exists."""
    chat = ChatServer()
    path = "/services/T0/B0/secret"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            message = json.loads(body) if self.path == path else {}
            taken = isinstance(message, dict) and any(message.get(name) for name in ("text", "attachments"))
            if taken:
                chat.messages.append(message)
            answer = b"ok" if taken else b"invalid_payload"
            self.send_response(200 if taken else 400)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        chat.url = f"http://127.0.0.1:{listening.server_address[1]}{path}"
        threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
        yield chat
        listening.shutdown()
