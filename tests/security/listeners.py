"""Ears around a run: sockets of every kind that a confined command must not reach."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self


class Listeners:
    """`heard` maps a socket's name to what reached it, one entry a connection or datagram, empty ones too."""

    def __init__(self, folder: Path, token: str) -> None:
        """`folder` gets the sockets that have a path. They are open to everyone: only the sandbox protects them."""
        self.heard: dict[str, list[bytes]] = {}
        self.addresses: dict[str, str] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._conversations: dict[socket.socket, str] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        for name, family, kind, address in (
            ("tcp", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            ("udp", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            ("tcp6", socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)),
            ("docker", socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "docker.sock")),
            ("agent", socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "ssh-agent")),
            ("abstract", socket.AF_UNIX, socket.SOCK_STREAM, f"\0claw-{token}"),
        ):
            listening = socket.socket(family, kind)
            try:
                listening.bind(address)
            except OSError:
                if name != "tcp6":
                    raise
                listening.close()  # a machine without IPv6
                continue
            if kind == socket.SOCK_STREAM:
                listening.listen(16)
            if family == socket.AF_UNIX and isinstance(address, str) and address[0] != "\0":
                os.chmod(address, 0o777)
            listening.setblocking(False)
            bound = listening.getsockname()
            self.addresses[name] = str(bound[1]) if isinstance(bound, tuple) else os.fsdecode(bound).lstrip("\0")
            self._sockets[name] = listening
            self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._listen, name="listeners", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wake.send(b".")
        self._thread.join(10)
        for each in (*self._sockets.values(), *self._conversations, self._wake, self._woken):
            each.close()
        self._selector.close()

    def _listen(self) -> None:
        names = {listening: name for name, listening in self._sockets.items()}
        while True:
            for key, _ in self._selector.select():
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                if ready is self._woken:
                    return
                with contextlib.suppress(OSError):
                    if ready in self._conversations:
                        self._read(ready)
                    elif ready.type == socket.SOCK_DGRAM:
                        self.heard.setdefault(names[ready], []).append(ready.recv(65536))
                    else:
                        self._accept(ready, names[ready])

    def _accept(self, listening: socket.socket, name: str) -> None:
        conversation, _ = listening.accept()
        conversation.setblocking(False)
        self.heard.setdefault(name, []).append(b"")
        self._conversations[conversation] = name
        self._selector.register(conversation, selectors.EVENT_READ)

    def _read(self, conversation: socket.socket) -> None:
        """What comes first is enough; then nobody need wait for an answer."""
        try:
            self.heard[self._conversations[conversation]].append(conversation.recv(65536))
        finally:
            self._selector.unregister(conversation)
            del self._conversations[conversation]
            conversation.close()
