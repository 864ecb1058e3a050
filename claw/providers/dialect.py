"""In what a host differs from the others: data, read from `hosts.toml`, where each field is explained."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ThinkingSwitch = Literal["moonshot", "chat_template", "reasoning_effort", "none"]
ReasoningEcho = Literal["reasoning_content", "reasoning", "both", "as_received", "none"]


class Sampling(Struct, frozen=True, forbid_unknown_fields=True):
    """Sent where the host does not set it itself. None: not sent."""

    temperature: float | None = None
    top_p: float | None = None


class Media(Struct, frozen=True, forbid_unknown_fields=True):
    """What pictures and videos a host takes. *Units*: pixels of the longer edge, bytes of one file.

    `images` are the subtypes taken as they are (`png`, `jpeg`, …); empty: the host takes no pictures.
    `image_urls`: it fetches pictures from the web itself.
    `video` is `upload` (the `/files` endpoint, then `ms://id`), `data` (a data URL) or `none`.
    """

    images: tuple[str, ...] = ()
    image_urls: bool = False
    max_image_edge_px: int = 2000
    max_image_bytes: int = 4 * 1024 * 1024
    max_images: int = 96
    video: Literal["upload", "data", "none"] = "none"
    max_video_bytes: int = 100 * 1024 * 1024


class Dialect(Struct, frozen=True, forbid_unknown_fields=True):
    """How a host wants to be spoken to.

    `sampling_thinking` and `sampling_instant` go with thinking on and off. `canonical_call_ids`: ids are
    sent as `functions.NAME:INDEX`, counted over the conversation. `affinity_header` carries the session's
    id, so that its requests meet the same cache. `json_schema`: the host holds the answer to a schema.
    """

    reasoning: ReasoningEcho = "as_received"
    thinking: ThinkingSwitch = "none"
    max_tokens_field: str = "max_tokens"
    sampling_thinking: Sampling = Sampling()
    sampling_instant: Sampling = Sampling()
    canonical_call_ids: bool = False
    affinity_header: str = ""
    prompt_cache_key: bool = False
    json_schema: bool = False
    media: Media = Media()
