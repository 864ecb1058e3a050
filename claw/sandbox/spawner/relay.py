"""The way out of a network namespace: a port of 127.0.0.1 that leads to a proxy's Unix socket.

A process of its own, beside the commands and confined by bubblewrap only: what may pass is judged by the
proxy. It copies bytes, and knows nothing of them.
"""

from __future__ import annotations

import _socket
import os
import select
import time

from claw.sandbox.spawner import kernel, signals

_BUFFER_BYTES = 65536
_MOST_CONNECTIONS = 256
_PAUSE_S = 0.05


def start(proxy_socket: bytes, control: int) -> int:
    """The port. *Order*: before the spawner has anything to lose: this is a plain copy of it."""
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    port: int = listener.getsockname()[1]
    parent = os.getpid()
    pid, pidfd = kernel.clone(0)
    if pid:
        os.close(pidfd)
        listener.close()
        return port
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signals.SIGKILL, 0, 0, 0)
        if os.getppid() == parent:
            os.close(control)
            kernel.set_capabilities(0)
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            # An address has room for 107 bytes: the folder is not part of it.
            os.chdir(os.path.dirname(proxy_socket))
            _Relay(listener, os.path.basename(proxy_socket)).run()
    finally:
        os._exit(1)


class _Flow:
    """One direction of a connection."""

    def __init__(self, source: _socket.socket, target: _socket.socket) -> None:
        self.source = source
        self.target = target
        self.waiting = b""
        self.ended = False  # the source is at its end, and the target has been told

    def fill(self) -> None:
        data = self.source.recv(_BUFFER_BYTES)
        if data:
            self.waiting = data
            self.drain()
        else:
            self.ended = True
            self.target.shutdown(_socket.SHUT_WR)

    def drain(self) -> None:
        sent = self.target.send(self.waiting)
        self.waiting = self.waiting[sent:]


class _Relay:
    def __init__(self, listener: _socket.socket, proxy: bytes) -> None:
        self._listener = listener
        self._proxy = proxy
        self._flows: dict[int, tuple[_Flow, _Flow]] = {}  # descriptor → what comes from it, what goes to it
        self._poll = select.poll()
        self._full = False

    def run(self) -> None:
        self._listener.setblocking(False)
        self._poll.register(self._listener.fileno(), select.POLLIN)
        while True:
            for descriptor, event in self._poll.poll():
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor in self._flows:
                    self._serve(descriptor, event)

    def _accept(self) -> None:
        try:
            descriptor, _ = self._listener._accept()  # type: ignore[attr-defined]
        except BlockingIOError:
            return
        except OSError:
            time.sleep(_PAUSE_S)  # no descriptor is left
            return
        client = _socket.socket(fileno=descriptor)
        proxy = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            proxy.connect(self._proxy)
        except OSError:
            client.close()
            proxy.close()
            return
        out, back = _Flow(client, proxy), _Flow(proxy, client)
        for socket, flows in ((client, (out, back)), (proxy, (back, out))):
            socket.setblocking(False)
            self._flows[socket.fileno()] = flows
            self._watch(socket.fileno())
        self._listen()

    def _serve(self, descriptor: int, event: int) -> None:
        comes, goes = self._flows[descriptor]
        try:
            if event & select.POLLOUT and goes.waiting:
                goes.drain()
            if event & (select.POLLIN | select.POLLHUP | select.POLLERR) and not comes.waiting and not comes.ended:
                comes.fill()
            elif event & (select.POLLHUP | select.POLLERR):
                raise ConnectionResetError
        except BlockingIOError:
            pass
        except OSError:
            self._close(comes)
            return
        if comes.ended and goes.ended:
            self._close(comes)
            return
        self._watch(comes.source.fileno())
        self._watch(comes.target.fileno())

    def _watch(self, descriptor: int) -> None:
        comes, goes = self._flows[descriptor]
        reads = 0 if comes.waiting or comes.ended else select.POLLIN
        self._poll.register(descriptor, reads | (select.POLLOUT if goes.waiting else 0))

    def _close(self, flow: _Flow) -> None:
        for socket in (flow.source, flow.target):
            self._poll.unregister(socket.fileno())
            del self._flows[socket.fileno()]
            socket.close()
        self._listen()

    def _listen(self) -> None:
        """Not while there are too many: they wait in the listener's queue."""
        full = len(self._flows) >= 2 * _MOST_CONNECTIONS
        self._poll.register(self._listener.fileno(), 0 if full else select.POLLIN)
