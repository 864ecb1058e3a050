"""Files handed to the host, to be named in later messages.

*Source*: the `/files` endpoint of Moonshot, called through OpenAI's own SDK; it answers `{"id": …}`.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from claw.errors import HostUnavailable, ProviderError, ToolError
from claw.printable import one_line
from claw.providers.catalog import Endpoint
from claw.providers.failures import Speaker, failure_of_response
from claw.providers.secret import Secret

TIMEOUT_S = 600.0
CONNECT_TIMEOUT_S = 10.0
SDK_MISSING = "uploading needs OpenAI's SDK, which is not installed: pip install 'claw-agent[openai]'"


class FileUploads:
    """`Uploads` to one host. A file is sent once, however often it is shown."""

    def __init__(self, endpoint: Endpoint, timeout_s: float = TIMEOUT_S) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._sent: dict[tuple[str, str], str] = {}  # purpose and hash → URL

    async def upload(self, name: str, data: bytes, media_type: str, purpose: str) -> str:
        """See `claw.tooling.services.Uploads`. Temporary failures are tried again twice, by the SDK."""
        known = purpose, hashlib.sha256(data, usedforsecurity=False).hexdigest()
        if known not in self._sent:
            file = name.encode("utf-8", "replace").decode(), data, media_type
            self._sent[known] = f"ms://{await self._send(file, purpose)}"
        return self._sent[known]

    async def _send(self, file: tuple[str, bytes, str], purpose: Any) -> str:
        try:
            import openai
        except ImportError:
            raise ToolError(SDK_MISSING, "SDK is missing") from None
        endpoint = self._endpoint
        host = Speaker(endpoint.host, endpoint.address, endpoint.key_variable, endpoint.key)
        timeout = openai.Timeout(self._timeout_s, connect=CONNECT_TIMEOUT_S)
        # No redirects, so that the key goes nowhere else; loopback no proxy.
        connection = openai.DefaultAsyncHttpxClient(
            trust_env=not endpoint.is_loopback, follow_redirects=False, timeout=timeout
        )
        key = (endpoint.key or Secret("none")).reveal()
        async with openai.AsyncOpenAI(
            api_key=key, base_url=endpoint.base_url, timeout=timeout, max_retries=2, http_client=connection
        ) as client:
            try:
                answer = await client.files.create(file=file, purpose=purpose)
            except openai.APIStatusError as error:
                response = error.response
                raise failure_of_response(
                    host, error.status_code, response.headers, response.content, time.time()
                ) from error
            except openai.APITimeoutError:
                raise HostUnavailable(f"{host} did not take the file within {self._timeout_s:g} s") from None
            except openai.APIConnectionError as error:
                cause = one_line(str(error.__cause__ or error), 200)
                raise HostUnavailable(f"cannot upload to {host}: {cause}. Check the network and the URL.") from error
            except (openai.OpenAIError, ValueError) as error:
                raise ProviderError(f"{host} answered the upload with nonsense: {one_line(str(error), 200)}") from error
        if not (file_id := getattr(answer, "id", None)) or not isinstance(file_id, str):
            raise ProviderError(f"{host} took the file, but gave it no id")
        return file_id
