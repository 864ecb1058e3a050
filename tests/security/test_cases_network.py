"""Ways out: every kind of socket that a command can make, against listeners of every kind (S14)."""

from __future__ import annotations

import pytest

from tests.security.attack import (
    Attack,
    Harm,
    Run,
    assert_harmful,
    assert_held,
    bash,
    python,
    run_protected,
    run_unprotected,
    said,
    tool,
)
from tests.security.users import User
from tests.security.walls import Walls
from tests.security.world import World


def _heard(listener: str, word: str) -> Harm:
    """Each attack has a word of its own: several share a listener."""
    return lambda step: any(word.encode() in data for data in step.outcome.heard.get(listener, []))


def _unix(address: str, word: str) -> str:
    return f"import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect({address})\ns.sendall(b'{word}')"


def _makes(call: str) -> str:
    """Only to have such a socket is too much."""
    return f"import socket\nsocket.socket({call})\nprint('got', 'one')"


ATTACKS = [
    Attack("S14", "curl", bash("curl -s -m 2 --noproxy '*' http://127.0.0.1:@tcp@/by-curl"),
           _heard("tcp", "by-curl")),
    Attack("S14", "/dev/tcp", bash("exec 3<>/dev/tcp/127.0.0.1/@tcp@ && echo by-dev-tcp >&3"),
           _heard("tcp", "by-dev-tcp")),
    Attack("S14", "/dev/udp", bash("echo by-dev-udp > /dev/udp/127.0.0.1/@udp@"), _heard("udp", "by-dev-udp")),
    Attack("S14", "udp, not connected", python(
        "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'by-sendto', ('127.0.0.1', @udp@))"),
           _heard("udp", "by-sendto")),
    Attack("S14", "a name asked for at a server of one's own", python(
        "import socket\nquery = b'\\xab\\xcd\\x01\\0\\0\\1\\0\\0\\0\\0\\0\\0\\x06by-dns\\4test\\0\\0\\1\\0\\1'\n"
        "socket.socket(type=socket.SOCK_DGRAM).sendto(query, ('127.0.0.1', @udp@))"), _heard("udp", "by-dns")),
    Attack("S14", "fast open", python(
        "import socket\nMSG_FASTOPEN = 0x20000000\ns = socket.socket()\n"
        "s.sendto(b'by-fastopen', MSG_FASTOPEN, ('127.0.0.1', @tcp@))"), _heard("tcp", "by-fastopen")),
    Attack("S14", "IPv6", python(
        "import socket\nsocket.create_connection(('::1', @tcp6@), 3).sendall(b'by-tcp6')"),
           _heard("tcp6", "by-tcp6")),
    Attack("S14", "IPv4 in IPv6", python(
        "import socket\nsocket.create_connection(('::ffff:127.0.0.1', @tcp@), 3).sendall(b'by-mapped')"),
           _heard("tcp", "by-mapped")),
    Attack("S14", "multipath TCP", python(
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)\n"
        "s.connect(('127.0.0.1', @tcp@))\ns.sendall(b'by-mptcp')"), _heard("tcp", "by-mptcp")),
    Attack("S14", "docker.sock", python(_unix("'@docker@'", "by-docker")), _heard("docker", "by-docker")),
    Attack("S14", "docker.sock by curl", bash("curl -s -m 2 --unix-socket @docker@ http://localhost/by-curl"),
           _heard("docker", "by-curl")),
    Attack("S14", "agent for keys", python(_unix("'@agent@'", "by-agent")), _heard("agent", "by-agent")),
    Attack("S14", "agent for keys, by its variable",
           bash("test -n \"$SSH_AUTH_SOCK\" && @python@ -I -c 'import os, socket; s = socket.socket(socket.AF_UNIX); "
                "s.connect(os.environ[\"SSH_AUTH_SOCK\"]); s.sendall(b\"by-variable\")'"),
           _heard("agent", "by-variable"), always_held="commands never get this variable"),
    Attack("S14", "abstract socket", python(_unix("'\\0@abstract@'", "by-abstract")),
           _heard("abstract", "by-abstract")),
    Attack("S14", "descriptor from a neighbour's socket pair", python(
        "import os, socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "a.sendto(b'by-pair', '@docker@')\nprint('never', 'here')"),
           said("never here"), always_held="a datagram does not reach a stream's socket; the call must just fail"),
    Attack("S14", "the model's host", bash(
        "curl -s -m 2 --noproxy '*' -d '{\"messages\": [], \"by\": \"by-command\"}' http://127.0.0.1:@model@/v1/x"),
           lambda step: step.outcome.strangers),
    Attack("S14", "ICMP", python(_makes("socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP")),
           said("got one"), only_root=True),
    Attack("S14", "packets", python(_makes("socket.AF_PACKET, socket.SOCK_RAW, 0x0300")), said("got one"),
           only_root=True),
    Attack("S14", "netlink", python(
        "import socket, struct\ns = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)\n"
        "RTM_DELLINK, REQUEST_ACK, IFLA_IFNAME, name = 17, 5, 3, b'no-such-link\\0'\n"
        "body = struct.pack('BxHiII', 0, 0, 0, 0, 0) + struct.pack('HH', len(name) + 4, IFLA_IFNAME) + name\n"
        "s.send(struct.pack('IHHII', len(body) + 16, RTM_DELLINK, REQUEST_ACK, 1, 0) + body)\n"
        "error = struct.unpack_from('i', s.recv(4096), 16)[0]\n"
        "print('may not' if error == -1 else 'may' + ' do so', error)"), said("may do so"), only_root=True),
    Attack("S14", "kernel crypto", python(_makes("socket.AF_ALG, socket.SOCK_SEQPACKET")), said("got one"),
           always_held="not every kernel has these sockets"),
    Attack("S14", "virtual machine's socket", python(_makes("socket.AF_VSOCK, socket.SOCK_STREAM")), said("got one"),
           always_held="not every kernel has these sockets"),
    Attack("S14", "page fetched by the tool", tool("web_fetch", url="http://127.0.0.1:@tcp@/by-fetch"),
           _heard("tcp", "by-fetch"), always_held="addresses of this machine are never fetched"),
    Attack("S14", "in the background", (
        (("background", {"action": "start", "command": "echo by-background > /dev/tcp/127.0.0.1/@tcp@"}),),
        (("background", {"action": "wait", "job": "1"}),),
    ), _heard("tcp", "by-background")),
]  # fmt: skip


def prepare(world: World) -> None:
    """The listeners are there in every world."""


@pytest.fixture(scope="module")
def confined(walls: Walls) -> Run:
    return run_protected(walls, ATTACKS, prepare)


@pytest.fixture(scope="module")
def unprotected(anyone: User) -> Run:
    return run_unprotected(anyone, ATTACKS, prepare)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_held(confined: Run, walls: Walls, attack: Attack) -> None:
    assert_held(confined, attack, walls)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_harmful_without_protection(unprotected: Run, attack: Attack) -> None:
    assert_harmful(unprotected, attack)


def test_session_goes_on(confined: Run, walls: Walls) -> None:
    """Not so much as an empty connection was made, to anyone."""
    assert confined.outcome.sandbox == walls.shown_as
    confined.assert_went_on()
    confined.assert_contained()
