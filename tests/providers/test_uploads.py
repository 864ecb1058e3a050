"""Uploads through the SDK against a real server."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from claw.errors import AuthError, HostUnavailable, ProviderError
from claw.providers.catalog import Endpoint
from claw.providers.secret import Secret
from claw.providers.uploads import FileUploads
from tests.fakes.model_server import Answer, ModelServer, hang, raw, status

pytest.importorskip("openai", reason="uploads need the openai extra")

TAKEN = raw(b'{"id": "file-7", "object": "file", "bytes": 4, "purpose": "video"}', "application/json")


def uploads(server: ModelServer, timeout_s: float = 10.0) -> FileUploads:
    return FileUploads(Endpoint(host="here", base_url=server.url, model="m", key=Secret("sk-test")), timeout_s)


async def upload(answers: Iterable[Answer], timeout_s: float = 10.0) -> tuple[str, ModelServer]:
    with ModelServer(answers) as server:
        return await uploads(server, timeout_s).upload("clip é.mp4", b"film", "video/mp4", "video"), server


async def test_the_file_goes_out_as_a_form() -> None:
    url, server = await upload([TAKEN])
    assert url == "ms://file-7"
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/v1/files")
    assert request.headers["authorization"] == "Bearer sk-test"
    boundary = request.headers["content-type"].removeprefix("multipart/form-data; boundary=").encode()
    parts = request.raw.split(b"--" + boundary)
    fields = {re.search(rb'name="(\w+)"', part)[1]: part.partition(b"\r\n\r\n") for part in parts[1:-1]}  # type: ignore[index]
    assert set(fields) == {b"purpose", b"file"}
    assert fields[b"purpose"][2] == b"video\r\n"
    assert fields[b"file"][2] == b"film\r\n"
    assert b"Content-Type: video/mp4" in fields[b"file"][0]
    assert b"clip" in fields[b"file"][0]


async def test_the_same_file_goes_out_once() -> None:
    with ModelServer([TAKEN, TAKEN]) as server:
        files = uploads(server)
        for name, data in (("a", b"1"), ("b", b"1"), ("a", b"2")):
            await files.upload(name, data, "video/mp4", "video")
        assert len(server.requests) == 2


async def test_a_temporary_failure_is_tried_again() -> None:
    url, server = await upload([status(503), TAKEN])
    assert (url, len(server.requests)) == ("ms://file-7", 2)


async def test_refusals_are_the_hosts_own_words() -> None:
    with pytest.raises(AuthError, match=r"answered 401: .*no such key"):
        await upload([status(401, "auth", "no such key")])
    with pytest.raises(ProviderError, match="too long a film"):
        await upload([status(400, "invalid_request_error", "too long a film")])


@pytest.mark.parametrize("body", [b'{"object": "file"}', b"[]", b"not json", b'{"id": 7}', b""])
async def test_an_answer_without_an_id(body: bytes) -> None:
    with pytest.raises(ProviderError, match=r"no id|nonsense"):
        await upload([raw(body, "application/json")])


async def test_redirects_are_not_followed() -> None:
    with pytest.raises(ProviderError, match="redirects to http://elsewhere"):
        await upload([raw(b"", code=307, location="http://elsewhere/v1/files")])


async def test_no_host_and_a_silent_one() -> None:
    with ModelServer() as server:
        pass
    with pytest.raises(HostUnavailable, match="cannot upload to here"):
        await uploads(server).upload("a", b"1", "video/mp4", "video")
    with pytest.raises(HostUnavailable, match=r"within 0\.2 s"):
        await upload([hang(30), hang(30), hang(30)], timeout_s=0.2)
