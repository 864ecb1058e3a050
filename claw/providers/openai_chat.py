"""The client of every host that speaks OpenAI's chat completions, streamed over httpx2."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import NoReturn

import httpx2
import msgspec

from claw.errors import HostUnavailable, ProviderError, RateLimited, StreamBroken, TemporaryError
from claw.printable import one_line
from claw.protocol.messages import Message, Prefix
from claw.providers.base import JsonSchema, ReasoningChunk, Reply, Retrying, StreamItem, TextChunk
from claw.providers.catalog import Endpoint
from claw.providers.client import CONNECT_TIMEOUT_S, affinity_headers, make_client
from claw.providers.deltas import HostError, ReplyAssembler
from claw.providers.failures import Speaker, failure_in_stream, failure_of_response
from claw.providers.limiter import Limiter
from claw.providers.pricing import cost_usd
from claw.providers.retry import Retry
from claw.providers.sanitize import Sanitizer
from claw.providers.sse import EventReader
from claw.providers.tokens import UsageEstimator
from claw.providers.wire import RequestEncoder

DRAIN_TIMEOUT_S = 0.25
BODY_BYTES_A_TOKEN = 4  # roughly, and only until the host has counted
ERROR_BODY_LIMIT_BYTES = 64 * 1024
PLAIN_BODY_LIMIT_BYTES = 8 * 2**20


class OpenAIChat:
    """A `Provider`: one host and model, one connection pool, any number of chats.

    `idle_timeout_s` is how long the host may send nothing at all, keep-alive comments included.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        thinking: bool,
        retry: Retry | None = None,
        limiter: Limiter | None = None,
        idle_timeout_s: float = 60.0,
    ) -> None:
        self.host = endpoint.host
        self.model = endpoint.model
        self.context_window = endpoint.context_window
        self._endpoint = endpoint
        self._thinking = thinking
        self._retry = retry or Retry()
        self._limiter = limiter
        self._client = make_client(endpoint, idle_timeout_s)

    @property
    def price_known(self) -> bool:
        return self._endpoint.price is not None

    @property
    def holds_to_schema(self) -> bool:
        return self._endpoint.dialect.json_schema

    def open(self, prefix: Prefix, *, session: str = "", schema: JsonSchema | None = None) -> OpenAIConversation:
        encoder = RequestEncoder(self._endpoint, prefix, thinking=self._thinking, session=session, schema=schema)
        return OpenAIConversation(self._client, self._endpoint, encoder, self._retry, self._limiter, prefix, session)

    async def close(self) -> None:
        await self._client.aclose()


class OpenAIConversation:
    """A `Chat`. One `ask` at a time."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        endpoint: Endpoint,
        encoder: RequestEncoder,
        retry: Retry,
        limiter: Limiter | None,
        prefix: Prefix,
        session: str,
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._encoder = encoder
        self._retry = retry
        self._limiter = limiter
        self._tools = prefix.tools
        self._estimator = UsageEstimator(prefix)
        self._headers = affinity_headers(endpoint.dialect.affinity_header, session)
        self._sanitizer = Sanitizer(endpoint.dialect.media)
        self._speaker = Speaker(endpoint.host, endpoint.address, endpoint.key_variable, endpoint.key)

    async def ask(self, messages: Sequence[Message]) -> AsyncGenerator[StreamItem, None]:
        """See `claw.providers.base.Chat`. Closing the generator, or cancelling it, closes the connection."""
        body = self._encoder.encode(self._sanitizer.clean(messages))
        for attempt in itertools.count(1):
            partial_chars = 0
            try:
                async with aclosing(self._admitted(body)) as stream:
                    async for item in stream:
                        if isinstance(item, ReasoningChunk | TextChunk):
                            partial_chars += len(item.text)
                        elif item.usage is None:
                            item = self._estimated(item, messages)
                        yield item
                return
            except TemporaryError as error:
                if attempt >= self._retry.attempts:
                    raise self._given_up(error, attempt) from error
                delay_s = self._retry.delay_s(attempt, error)
                reason = str(error)
            yield Retrying(attempt, delay_s, reason, partial_chars)
            await self._retry.sleep(delay_s)

    async def _admitted(self, body: bytes) -> AsyncGenerator[ReasoningChunk | TextChunk | Reply, None]:
        """One request, once the limiter lets it through. What the host says of rates holds for all chats."""
        if self._limiter is None:
            async with aclosing(self._attempt(body)) as stream:
                async for item in stream:
                    yield item
            return
        async with self._limiter.slot(len(body) // BODY_BYTES_A_TOKEN) as slot, aclosing(self._attempt(body)) as stream:
            try:
                async for item in stream:
                    if isinstance(item, Reply) and item.usage:
                        slot.used(item.usage.total)
                    yield item
            except RateLimited as error:
                slot.penalise(error.retry_after_s)
                raise

    def _estimated(self, reply: Reply, messages: Sequence[Message]) -> Reply:
        """The host was silent on what was used: an estimate, marked as one."""
        usage = self._estimator.usage(messages, reply.message)
        cost = cost_usd(usage, self._endpoint.price)
        return msgspec.structs.replace(reply, usage=usage, cost_usd=cost, is_estimate=True)

    async def _attempt(self, body: bytes) -> AsyncGenerator[ReasoningChunk | TextChunk | Reply, None]:
        """One request. *Errors*: ProviderError."""
        started = False
        try:
            async with self._client.stream("POST", "chat/completions", content=body, headers=self._headers) as response:
                if response.status_code != 200:
                    await self._refuse(response)
                started = True
                assembler = ReplyAssembler(self._tools)
                async with aclosing(self._read(response, assembler)) as stream:
                    async for item in stream:
                        yield item
        except httpx2.TransportError as error:
            raise self._transport_failure(error, started) from error
        except httpx2.DecodingError as error:
            raise StreamBroken(f"{self._speaker} sent a body that cannot be decoded ({error})") from error

    async def _read(
        self, response: httpx2.Response, assembler: ReplyAssembler
    ) -> AsyncGenerator[ReasoningChunk | TextChunk | Reply, None]:
        """The words as they come, and the reply as soon as it is whole."""
        content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type == "text/html":
            raise ProviderError(
                f"{self._speaker} answered with a web page, not with a reply: check its URL, which should end in /v1"
            )
        split = _whole_body if content_type == "application/json" else _events
        async with aclosing(response.aiter_bytes()) as pieces, aclosing(split(pieces)) as batches:
            try:
                async for batch in batches:
                    for event in batch:
                        for item in assembler.feed(event):
                            yield item
                    if assembler.done:
                        break
            except HostError as error:
                raise failure_in_stream(self._speaker, error.error) from None
            except StreamBroken as error:
                raise StreamBroken(f"{self._speaker}: {error}") from None
            except httpx2.TransportError:
                if not assembler.finish_reason:  # else the reply is whole, if not the response
                    raise
            if not assembler.complete:
                raise StreamBroken(f"{self._speaker} ended the stream before the reply was complete")
            for item in assembler.finish():
                yield item
            if assembler.lost_calls:
                raise StreamBroken(f"{self._speaker} broke a tool call off in the middle of the reply")
            await _drain(pieces)
        yield Reply(
            assembler.message(),
            assembler.finish_reason,
            assembler.usage,
            cost_usd(assembler.usage, self._endpoint.price),
            assembler.model or self._endpoint.model,
        )

    async def _refuse(self, response: httpx2.Response) -> NoReturn:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > ERROR_BODY_LIMIT_BYTES:
                break
        now = self._retry.now()
        raise failure_of_response(self._speaker, response.status_code, response.headers, bytes(body), now)

    def _transport_failure(self, error: httpx2.TransportError, started: bool) -> ProviderError:
        words = one_line(str(error) or type(error).__name__, 200)
        if certificate := _certificate_error(error):
            return ProviderError(
                f"{self._speaker} has a certificate that is not trusted ({one_line(certificate, 200)}): check the URL, "
                "or set SSL_CERT_FILE to your own authority's certificate"
            )
        if isinstance(error, httpx2.ProxyError):
            return HostUnavailable(f"cannot reach {self._speaker} through the proxy: {words}. Check HTTPS_PROXY.")
        if isinstance(error, httpx2.UnsupportedProtocol):
            return ProviderError(f"cannot reach {self._speaker}: {words}")
        if isinstance(error, httpx2.ConnectTimeout):
            return HostUnavailable(f"{self._speaker} took no connection within {CONNECT_TIMEOUT_S:g} s")
        if isinstance(error, httpx2.TimeoutException):
            where = "in the middle of a reply" if started else "after the request"
            return HostUnavailable(f"{self._speaker} fell silent {where} for {self._client.timeout.read:g} s")
        if started:
            return StreamBroken(f"the connection to {self._speaker} broke in the middle of a reply: {words}")
        return HostUnavailable(f"cannot reach {self._speaker}: {words}. Check the network and the URL.")

    @staticmethod
    def _given_up(error: TemporaryError, attempts: int) -> TemporaryError:
        if attempts == 1:
            return error
        return type(error)(f"{error} Gave up after {attempts} attempts.", retry_after_s=error.retry_after_s)


async def _events(pieces: AsyncIterator[bytes]) -> AsyncGenerator[list[bytes], None]:
    reader = EventReader()
    async for piece in pieces:
        yield reader.feed(piece)
    yield reader.close()


async def _whole_body(pieces: AsyncIterator[bytes]) -> AsyncGenerator[list[bytes], None]:
    """A host that does not stream sends one JSON object."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > PLAIN_BODY_LIMIT_BYTES:
            raise StreamBroken(f"the reply is longer than {PLAIN_BODY_LIMIT_BYTES >> 20} MiB")
    yield [bytes(body)]


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Read what follows `[DONE]`, usually nothing, so that the connection can be used again.

    A host that keeps it open loses it: leaving the response unread closes it.
    """
    try:
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            async for _ in pieces:
                pass
    except (TimeoutError, httpx2.HTTPError):
        pass


def _certificate_error(error: BaseException | None) -> str:
    """Why a certificate was refused, or nothing if the chain of causes holds no such thing."""
    while error:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message or str(error)
        error = error.__cause__ or error.__context__
    return ""
