"""The client against a real server: retries, silence, cuts, cancelling, connections."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import aclosing

import pytest
from msgspec.structs import replace

from claw.errors import AuthError, HostUnavailable, ProviderError, QuotaExceeded, StreamBroken, TemporaryError
from claw.protocol.messages import AssistantMessage, Prefix, ToolCall, Usage, UserMessage, as_content
from claw.providers.base import ReasoningChunk, Reply, Retrying, TextChunk
from claw.providers.catalog import Endpoint
from claw.providers.openai_chat import OpenAIChat
from claw.providers.pricing import Price
from claw.providers.retry import Retry
from tests.fakes.answers import DONE, Answer
from tests.fakes.model_server import ModelServer, broken, call, chunk, hang, raw, say, slow, status
from tests.providers.conftest import DIALECT, ENDPOINT, HELLO, Connect, Naps, collect, reply_of

OK = AssistantMessage("ok")


async def test_a_reply_with_everything(connect: Connect) -> None:
    priced = Endpoint(host="test", base_url="", model="kimi-k2.6", price=Price(0.95, 0.16, 4.0))
    answer = call(("ls", {"path": "."}), ("ls", {"path": "ü"}), text="Let me look.", reasoning="Hm, look.")
    with ModelServer([answer]) as server:
        async with connect(server.url, endpoint=priced) as chat:
            *chunks, reply = await collect(chat)
    assert "".join(item.text for item in chunks if isinstance(item, ReasoningChunk)) == "Hm, look."
    assert "".join(item.text for item in chunks if isinstance(item, TextChunk)) == "Let me look."
    calls = (ToolCall("functions.ls:0", "ls", '{"path": "."}'), ToolCall("functions.ls:1", "ls", '{"path": "ü"}'))
    assert reply == Reply(
        AssistantMessage("Let me look.", "Hm, look.", calls),
        "tool_calls",
        Usage(100, 80, 20),
        pytest.approx((20 * 0.95 + 80 * 0.16 + 20 * 4.0) / 1e6),  # type: ignore[arg-type]
        "kimi-k2.6",
    )


async def test_turns_share_one_connection(connect: Connect) -> None:
    with ModelServer(lambda _request: say("ok")) as server:
        async with connect(server.url) as chat:
            for _ in range(5):
                await reply_of(chat)
        assert server.n_connections == 1


@pytest.mark.parametrize(
    "failure",
    [
        status(429, "rate_limit_reached_error"),
        status(500),
        status(503),
        status(529),
        broken(0),
        broken(150),
        broken(-20, say("never to be seen", usage=None)),
        raw(chunk({"content": "half"})),
        raw(chunk({"content": "half"}) + b"data: {nonsense\n\n"),
        raw(chunk({"content": "half"}) + b'data: {"error": {"type": "server_error", "message": "oops"}}\n\n'),
        raw(b"", content_type="application/json"),
        raw(b'{"error": {"message": "overloaded", "code": 503}}', content_type="application/json"),
        raw(b""),
    ],
    ids=range(13),
)
async def test_what_may_pass_is_tried_again_with_the_same_bytes(failure: Answer, connect: Connect, naps: Naps) -> None:
    with ModelServer([failure, failure, say("ok", n_pieces=1)]) as server:
        async with connect(server.url) as chat:
            items = await collect(chat)
        raws = [request.raw for request in server.requests]
    retries = [item for item in items if isinstance(item, Retrying)]
    assert [(retry.attempt, retry.delay_s) for retry in retries] == [(1, 0.5), (2, 1.0)]
    assert all(
        retry.reason.startswith(("test (127.0.0.1:", "cannot reach test", "the connection to")) for retry in retries
    )
    assert naps.slept_s == [0.5, 1.0]
    assert raws == [raws[0]] * 3
    # What came before the last failure is void; after it comes the whole answer, once.
    assert items[items.index(retries[-1]) + 1 :][:-1] == [TextChunk("ok")]
    assert isinstance(items[-1], Reply)
    assert items[-1].message == OK


async def test_a_retry_says_how_much_was_lost(connect: Connect) -> None:
    half = raw(chunk({"reasoning_content": "Hm."}) + chunk({"content": "So"}))
    with ModelServer([half, status(503), say("ok")]) as server:
        async with connect(server.url) as chat:
            items = await collect(chat)
    assert [item.partial_chars for item in items if isinstance(item, Retrying)] == [5, 0]


async def test_a_stream_cut_anywhere_gives_a_whole_reply_or_none(connect: Connect) -> None:
    """Up to the finish reason the reply is broken; after it, it is whole even if the rest is lost."""
    whole = call(("rm", {"path": "a"}), usage=None)
    finish = whole.body.index(b'"finish_reason":"tool_calls"}]}') + len(b'"finish_reason":"tool_calls"}]}')
    for cut in range(0, len(whole.body), 17):
        with ModelServer([broken(cut, whole)]) as server:
            async with connect(server.url, attempts=1) as chat:
                if cut < finish:
                    with pytest.raises(TemporaryError):
                        await collect(chat)
                else:
                    assert (await reply_of(chat)).message.tool_calls == (
                        ToolCall("functions.rm:0", "rm", '{"path": "a"}'),
                    )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (status(401, "invalid_authentication_error"), AuthError),
        (status(403), AuthError),
        (status(402), QuotaExceeded),
        (status(429, "exceeded_current_quota_error"), QuotaExceeded),
        (status(400, "invalid_request_error"), ProviderError),
        (status(404), ProviderError),
        (status(307, headers={"Location": "http://127.0.0.1:1/"}), ProviderError),
        (raw(b"<html>Welcome to our Wi-Fi</html>", content_type="text/html; charset=utf-8"), ProviderError),
    ],
)
async def test_what_will_not_pass_is_not_tried_again(
    answer: Answer, kind: type[ProviderError], connect: Connect
) -> None:
    with ModelServer([answer, say("no")]) as server:
        async with connect(server.url) as chat:
            with pytest.raises(ProviderError) as caught:
                await collect(chat)
        assert type(caught.value) is kind
        assert len(server.requests) == 1


async def test_gives_up_after_the_last_attempt_and_says_so(connect: Connect, naps: Naps) -> None:
    with ModelServer(lambda _request: status(503, message="down", headers={"x-trace-id": "t-1"})) as server:
        async with connect(server.url, attempts=3) as chat:
            with pytest.raises(HostUnavailable) as caught:
                await collect(chat)
        address = f"127.0.0.1:{server.port}"
        assert len(server.requests) == 3
    assert str(caught.value) == (
        f"test ({address}) answered 503: down [x-trace-id t-1]. The host is overloaded or down; try again later. "
        "Gave up after 3 attempts."
    )
    assert naps.slept_s == [0.5, 1.0]


async def test_waits_as_long_as_the_host_asks(connect: Connect, naps: Naps) -> None:
    date = {"Retry-After": "Mon, 12 Jan 1970 13:46:47 GMT"}  # 7 s after the clock of the test
    with ModelServer([status(429, headers={"Retry-After": "2"}), status(429, headers=date), say("ok")]) as server:
        async with connect(server.url) as chat:
            assert (await reply_of(chat)).message == OK
    assert naps.slept_s == [2.0, 7.0]


@pytest.mark.parametrize("after_bytes", [None, 0, 200])
async def test_silence_is_a_time_out_and_tried_again(after_bytes: int | None, connect: Connect) -> None:
    with ModelServer([hang(60, after_bytes), say("ok")]) as server:
        async with connect(server.url, idle_timeout_s=0.2) as chat:
            items = await collect(chat)
        assert server.requests[0].dropped.wait(5)
    (retry,) = [item for item in items if isinstance(item, Retrying)]
    assert "fell silent" in retry.reason
    assert "for 0.2 s" in retry.reason


async def test_keep_alive_comments_are_no_silence(connect: Connect) -> None:
    with ModelServer([slow(raw([b": ping\n\n"] * 5 + [say("ok").body]), 0.1)]) as server:
        async with connect(server.url, idle_timeout_s=0.4, attempts=1) as chat:
            assert (await reply_of(chat)).message == OK


async def test_the_first_words_arrive_before_the_last(connect: Connect) -> None:
    with ModelServer(
        [hang(60, after_bytes=len(chunk({"content": "early"})), answer=raw(chunk({"content": "early"}) + DONE))]
    ) as server:
        async with connect(server.url) as chat, aclosing(chat.ask(HELLO)) as stream:
            assert await anext(stream) == TextChunk("early")


@pytest.mark.parametrize("after_bytes", [None, 250])
async def test_cancelling_closes_the_connection_at_once(after_bytes: int | None, connect: Connect) -> None:
    with ModelServer([hang(60, after_bytes), say("ok")]) as server:
        async with connect(server.url, idle_timeout_s=60) as chat:
            asking = asyncio.create_task(collect(chat))
            await asyncio.to_thread(server.wait_for_requests, 1)
            await asyncio.sleep(0.05)  # for the first bytes of the answer
            started = time.monotonic()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert server.requests[0].dropped.wait(2)
            assert time.monotonic() - started < 1
            assert (await reply_of(chat)).message == OK  # the chat goes on


async def test_a_host_that_stays_open_after_done_does_not_hold_the_reply(connect: Connect) -> None:
    body = say("ok").body
    with ModelServer([hang(60, after_bytes=len(body), answer=raw(body)), say("ok")]) as server:
        async with connect(server.url) as chat:
            started = time.monotonic()
            assert (await reply_of(chat)).message == OK
            assert time.monotonic() - started < 3
            assert (await reply_of(chat)).message == OK
        assert server.n_connections == 2


async def test_an_answer_in_one_piece_is_taken(connect: Connect) -> None:
    body = b'{"model":"m","choices":[{"message":{"content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}'
    with ModelServer([raw(body, content_type="application/json")]) as server:
        async with connect(server.url) as chat:
            assert await collect(chat) == [TextChunk("ok"), Reply(OK, "stop", Usage(3), None, "m")]


async def test_nobody_there(connect: Connect, naps: Naps) -> None:
    with ModelServer() as server:
        url = server.url
    async with connect(url, attempts=2) as chat:
        with pytest.raises(HostUnavailable, match=r"cannot reach test \(127.0.0.1:\d+\): .* Gave up after 2 attempts"):
            await collect(chat)
    assert naps.slept_s == [0.5]


async def test_a_compressed_answer_is_read(connect: Connect) -> None:
    import gzip

    with ModelServer([raw(gzip.compress(say("ok").body), content_encoding="gzip")]) as server:
        async with connect(server.url) as chat:
            assert (await reply_of(chat)).message == OK
    with ModelServer([raw(b"not gzip", content_encoding="gzip")]) as server:
        async with connect(server.url, attempts=1) as chat:
            with pytest.raises(StreamBroken, match="cannot be decoded"):
                await collect(chat)


async def test_chats_of_one_provider_run_side_by_side() -> None:
    with ModelServer(lambda request: slow(say(request.messages[-1]["content"]), 0.02)) as server:
        provider = OpenAIChat(
            Endpoint(host="test", base_url=server.url, model="kimi-k2.6"), thinking=True, retry=Retry(attempts=1)
        )
        chats = [provider.open(Prefix("")) for _ in range(6)]
        replies = await asyncio.gather(
            *(reply_of(chat, [UserMessage(as_content(f"n{number}"))]) for number, chat in enumerate(chats))
        )
        await provider.close()
    assert [reply.message.content for reply in replies] == [f"n{number}" for number in range(6)]


@pytest.mark.parametrize("session", ["s-1", "sün", "a\nb", " a", "", "\udc80"])
async def test_a_session_is_named_to_the_host_whatever_it_is_called(session: str, connect: Connect) -> None:
    dialect = replace(DIALECT, affinity_header="x-session-affinity", prompt_cache_key=True)
    with ModelServer([say("ok")] * 2) as server:
        async with connect(server.url, endpoint=replace(ENDPOINT, dialect=dialect), session=session) as chat:
            await reply_of(chat)
            await reply_of(chat)
        one, two = server.requests
    named = one.headers.get("x-session-affinity")
    assert named == two.headers.get("x-session-affinity")
    assert named == {"s-1": "s-1", "": None}.get(
        session, hashlib.sha256(session.encode("utf-8", "replace")).hexdigest()
    )
    assert one.body.get("prompt_cache_key") == (session.replace("\udc80", "\ufffd") or None)


async def test_a_schema_goes_only_where_the_host_holds_to_it(connect: Connect) -> None:
    schema = {"type": "object"}
    with ModelServer([say("{}")] * 2) as server:
        for native in (True, False):
            endpoint = replace(ENDPOINT, dialect=replace(DIALECT, json_schema=native))
            assert OpenAIChat(endpoint, thinking=True).holds_to_schema == native
            async with connect(server.url, endpoint=endpoint, schema=schema) as chat:
                await reply_of(chat)
        with_schema, without = server.bodies
    answer = {"name": "answer", "strict": True, "schema": schema}
    assert with_schema == without | {"response_format": {"type": "json_schema", "json_schema": answer}}


def test_a_provider_tells_what_it_is() -> None:
    provider = OpenAIChat(ENDPOINT, thinking=False)
    assert (provider.host, provider.model, provider.price_known) == ("test", "kimi-k2.6", False)
    assert provider.context_window == ENDPOINT.context_window
