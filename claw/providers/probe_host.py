"""One host under examination: requests as claw sends them or changed on purpose, their answers, and the bill."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import msgspec

from claw.errors import (
    HostUnavailable,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    StreamBroken,
    TemporaryError,
)
from claw.printable import one_line
from claw.protocol.messages import Message, Prefix, ToolSpec
from claw.providers.catalog import Endpoint
from claw.providers.client import make_client
from claw.providers.deltas import HostError, ReplyAssembler
from claw.providers.failures import Speaker, failure_in_stream, failure_of_response
from claw.providers.openai_chat import OpenAIChat
from claw.providers.probe_exchange import Exchange
from claw.providers.probe_purse import CHARS_PER_TOKEN, Purse
from claw.providers.retry import Retry
from claw.providers.sse import EventReader
from claw.providers.wire import RequestEncoder

THINKING_ROOM_TOKENS = 2_048  # on top of what the answer may take
REQUEST_TIMEOUT_S = 120.0
ANSWER_LIMIT_BYTES = 4 * 2**20
ERROR_LIMIT_BYTES = 64 * 1024

Body = dict[str, Any]


class Probe:
    """Asks one host. `settle_s` is how long a host gets to put a prompt into its cache.

    `rate_headers` and `refusals_429` gather what any answer said of limits.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        max_cost_usd: float,
        retry: Retry | None = None,
        settle_s: float = 2.0,
        dice: random.Random | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.purse = Purse(max_cost_usd, endpoint.price)
        self.retry = retry or Retry(attempts=3, base_s=1.0, retry_after_cap_s=20.0)
        self.settle_s = settle_s
        self.dice = dice or random.Random()
        self.rate_headers: dict[str, str] = {}
        self.refusals_429: list[str] = []
        self.speaker = Speaker(endpoint.host, endpoint.address, endpoint.key_variable, endpoint.key)
        self.listing: Any = None  # what GET /models answered, if it was JSON
        self.first_call: Exchange | None = None  # the answer to the first request with a tool and thinking on
        self.wire_model = endpoint.wire_model or endpoint.model
        self.served_as = ""  # the model's name in the first answer; empty as long as there was none
        self._client = make_client(endpoint, 60.0)

    async def close(self) -> None:
        await self._client.aclose()

    def provider(self, *, thinking: bool, max_tokens: int) -> OpenAIChat:
        """claw's own client; the caller closes it."""
        endpoint = msgspec.structs.replace(self.endpoint, max_output_tokens=self._limit(max_tokens, thinking))
        return OpenAIChat(endpoint, thinking=thinking, retry=self.retry)

    def body(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        system: str = "",
        tools: Sequence[ToolSpec] = (),
        thinking: bool = False,
        exact: bool = False,
    ) -> Body:
        """What claw itself would send, to be changed at will. `exact`: no room for thinking on top."""
        limit = max_tokens if exact else self._limit(max_tokens, thinking)
        endpoint = msgspec.structs.replace(self.endpoint, max_output_tokens=limit)
        encoder = RequestEncoder(endpoint, Prefix(system, tuple(tools)), thinking=thinking)
        body: Body = msgspec.json.decode(encoder.encode(list(messages)))
        return body

    def _limit(self, max_tokens: int, thinking: bool) -> int:
        cannot_stop = self.endpoint.dialect.thinking == "none"
        return max_tokens + (THINKING_ROOM_TOKENS if thinking or cannot_stop else 0)

    async def ask(self, body: Body) -> Exchange:
        """*Errors*: ProviderError; a temporary one after the retries; MoneySpent."""
        encoded = msgspec.json.encode(body)
        functions = (tool["function"] for tool in body.get("tools", ()))
        tools = [ToolSpec(each["name"], parameters=each["parameters"]) for each in functions]
        limits = [value for key in ("max_tokens", "max_completion_tokens") if isinstance(value := body.get(key), int)]
        for attempt in range(1, self.retry.attempts + 1):
            try:
                with self.purse.reserve(self.n_tokens(encoded), max(limits, default=THINKING_ROOM_TOKENS)) as bill:
                    exchange = await self._attempt(encoded, tools)
                    bill.pay(exchange.usage, exchange.message)
                    return exchange
            except TemporaryError as error:
                if attempt == self.retry.attempts:
                    raise
                await self.retry.sleep(self.retry.delay_s(attempt, error))
        raise AssertionError("unreachable")

    async def ask_or_refusal(self, body: Body) -> Exchange | str:
        """The answer, or the words in which the host refuses this very request. *Errors*: as `ask`, but for those."""
        try:
            return await self.ask(body)
        except (TemporaryError, QuotaExceeded):
            raise
        except ProviderError as error:
            return str(error)

    @staticmethod
    def n_tokens(text: bytes | str) -> int:
        return len(text) // CHARS_PER_TOKEN + 1

    async def _attempt(self, encoded: bytes, tools: Sequence[ToolSpec]) -> Exchange:
        started = time.monotonic()
        try:
            async with (
                asyncio.timeout(REQUEST_TIMEOUT_S),
                self._client.stream("POST", "chat/completions", content=encoded) as response,
            ):
                self._note_headers(response.headers)
                if response.status_code != 200:
                    raise await self._refusal(response)
                return await self._read(response, tools, started)
        except TimeoutError:
            raise HostUnavailable(f"{self.speaker} had not finished after {REQUEST_TIMEOUT_S:g} s") from None
        except httpx2.TransportError as error:
            raise self._transport_failure(error) from error
        except httpx2.DecodingError as error:
            raise StreamBroken(f"{self.speaker} sent a body that cannot be decoded ({error})") from error

    async def _read(self, response: httpx2.Response, tools: Sequence[ToolSpec], started: float) -> Exchange:
        exchange = Exchange({name.lower(): value for name, value in response.headers.items()})
        assembler, reader, whole, n_bytes = ReplyAssembler(tools), EventReader(), bytearray(), 0
        if exchange.headers.get("content-type", "").startswith("text/html"):
            raise ProviderError(f"{self.speaker} answered with a web page: its URL should end in /v1")

        def take(events: list[bytes]) -> bool:
            """Whether one of them brought words."""
            has_words = False
            for event in events:
                has_words |= exchange.note(event)
                assembler.feed(event)
            return has_words

        try:
            async for piece in response.aiter_bytes():
                now_ms = (time.monotonic() - started) * 1000
                exchange.first_byte_ms = exchange.first_byte_ms or now_ms
                if (n_bytes := n_bytes + len(piece)) > ANSWER_LIMIT_BYTES:
                    raise StreamBroken(f"{self.speaker} sent more than {ANSWER_LIMIT_BYTES >> 20} MiB")
                if not exchange.is_stream:
                    whole += piece
                elif take(reader.feed(piece)):
                    exchange.read_ms.append(now_ms)
            take(reader.close() if exchange.is_stream else [bytes(whole)])
        except HostError as error:
            raise failure_in_stream(self.speaker, error.error) from None
        exchange.complete = assembler.complete
        exchange.finish_reason = assembler.finish_reason
        exchange.model = assembler.model
        exchange.usage = assembler.usage
        exchange.message = assembler.message()
        return exchange

    async def get(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body. *Errors*: HostUnavailable; ProviderError for a bad certificate."""
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S), self._client.stream("GET", path) as response:
                self._note_headers(response.headers)
                return response.status_code, response.headers.get("content-type", ""), await _first_bytes(response)
        except TimeoutError:
            raise HostUnavailable(f"{self.speaker} had not finished after {REQUEST_TIMEOUT_S:g} s") from None
        except httpx2.TransportError as error:
            raise self._transport_failure(error) from error
        except httpx2.DecodingError:
            return response.status_code, "", b""

    async def _refusal(self, response: httpx2.Response) -> ProviderError:
        body = await _first_bytes(response, ERROR_LIMIT_BYTES)
        failure = failure_of_response(
            self.speaker, response.status_code, response.headers, body, self.retry.now()
        )  # fmt: skip
        if response.status_code == 429:
            kind = "too many requests or tokens" if isinstance(failure, RateLimited) else type(failure).__name__
            after = response.headers.get("retry-after")
            self.refusals_429.append(f"{kind}{f', Retry-After {after}' if after else ', no Retry-After'}: {failure}")
        return failure

    def _note_headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            if "ratelimit" in name.lower() and len(self.rate_headers) < 20:
                self.rate_headers[name.lower()] = value

    def _transport_failure(self, error: httpx2.TransportError) -> ProviderError:
        words = one_line(str(error) or type(error).__name__, 200)
        if isinstance(error, httpx2.TimeoutException):
            return HostUnavailable(f"{self.speaker} fell silent: {words}")
        return HostUnavailable(f"cannot reach {self.speaker}: {words}")


async def _first_bytes(response: httpx2.Response, limit: int = ANSWER_LIMIT_BYTES) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > limit:
            break
    return bytes(body)
