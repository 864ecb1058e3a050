"""What each host of Kimi K2.6 insists on, and the words in which it refuses.

*Source*: the hosts' documentation and what others met there. Where no text of a host's refusal is known,
the rule is one that it breaks silently: `claw` is then told off by the simulated model, not by a status.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

IdStyle = Literal["global", "per_reply", "opaque"]
MOONSHOT_IMAGES = ("png", "jpeg", "webp", "gif")


@dataclass(frozen=True)
class HostRules:
    """The rules of one host.

    `path` is where it listens, `base_path` the same as a config file would write it.
    `reasoning_out` is the field it thinks in, `reasoning_in` those it reads; `refuses_missing_reasoning`: a
    call without any is a 400, not only forgotten. `thinking_switch`: what turns thinking off. `limit_fields`:
    what it honours for the longest reply. `sampling`: `fixed` refuses any parameter, `expected` needs
    Kimi's own, `free` takes what it gets. `ids`: what it calls its calls; `canonical_ids`: foreign ids in the
    history break its parser. `affinity`: the header without which nothing is found in the cache. `schemas`:
    what comes of asking for one; where it `blocks_tools`, the grammar leaves no room for a call.
    `strict`: malformed messages and schemas are refused.
    """

    name: str
    model: str
    path: str = "/v1"
    base_path: str = "/v1"
    key: str = ""
    key_variable: str = ""
    reasoning_out: str = "reasoning_content"
    reasoning_in: tuple[str, ...] = ("reasoning_content",)
    refuses_missing_reasoning: bool = False
    thinking_switch: Literal["moonshot", "chat_template", "reasoning_effort", ""] = ""
    limit_fields: tuple[str, ...] = ("max_tokens",)
    sampling: Literal["fixed", "expected", "free"] = "free"
    ids: IdStyle = "opaque"
    id_prefix: str = "call_"
    one_index: bool = False
    canonical_ids: bool = False
    leaks_raw_calls: bool = False
    affinity: str = ""
    schemas: Literal["held", "ignored", "refused", "blocks_tools"] = "ignored"
    images: tuple[str, ...] = MOONSHOT_IMAGES
    max_images: int = 1000
    public_images: bool = False
    usage_in_choice: bool = False
    strict: bool = False
    environ: dict[str, str] = field(default_factory=dict)


MOONSHOT = HostRules(
    "moonshot",
    "kimi-k2.6",
    key="sk-global-0123456789",
    key_variable="MOONSHOT_API_KEY",
    refuses_missing_reasoning=True,
    thinking_switch="moonshot",
    limit_fields=("max_completion_tokens",),
    sampling="fixed",
    ids="global",
    schemas="refused",
    usage_in_choice=True,
    strict=True,
)
ACCOUNT = "0123456789abcdef0123456789abcdef"
_ALL = (
    MOONSHOT,
    replace(MOONSHOT, name="moonshot-cn", key="sk-china-9876543210"),
    HostRules(
        "cloudflare",
        "@cf/moonshotai/kimi-k2.6",
        path=f"/client/v4/accounts/{ACCOUNT}/ai/v1",
        base_path="/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1",
        key="cf-token",
        key_variable="CLOUDFLARE_API_TOKEN",
        environ={"CLOUDFLARE_ACCOUNT_ID": ACCOUNT},
        thinking_switch="chat_template",
        limit_fields=("max_tokens", "max_completion_tokens"),
        id_prefix="chatcmpl-tool-",
        affinity="x-session-affinity",
        schemas="held",
    ),
    HostRules(
        "fireworks",
        "accounts/fireworks/models/kimi-k2p6",
        path="/inference/v1",
        base_path="/inference/v1",
        key="fw-key",
        key_variable="FIREWORKS_API_KEY",
        ids="per_reply",
        thinking_switch="moonshot",
        affinity="x-session-affinity",
        schemas="held",
    ),
    HostRules(
        "baseten",
        "moonshotai/Kimi-K2.6",
        key="bt-key",
        key_variable="BASETEN_API_KEY",
        thinking_switch="chat_template",
        max_images=96,
    ),
    HostRules(
        "ollama",
        "kimi-k2.6:cloud",
        reasoning_out="reasoning",
        reasoning_in=("reasoning",),
        thinking_switch="reasoning_effort",
        one_index=True,
        images=("png", "jpeg", "webp"),
    ),
    HostRules(
        "ollama-cloud",
        "kimi-k2.6:cloud",
        key="ol-key",
        key_variable="OLLAMA_API_KEY",
        reasoning_out="reasoning",
        reasoning_in=("reasoning",),
        thinking_switch="reasoning_effort",
        one_index=True,
        images=("png", "jpeg", "webp"),
    ),
    HostRules(
        "vllm",
        "moonshotai/Kimi-K2.6",
        reasoning_out="reasoning",
        reasoning_in=("reasoning",),
        thinking_switch="chat_template",
        limit_fields=("max_tokens", "max_completion_tokens"),
        sampling="expected",
        id_prefix="chatcmpl-tool-",
        canonical_ids=True,
        leaks_raw_calls=True,
        schemas="blocks_tools",
    ),
    HostRules(
        "sglang",
        "moonshotai/Kimi-K2.6",
        thinking_switch="chat_template",
        limit_fields=("max_tokens", "max_completion_tokens"),
        sampling="expected",
        canonical_ids=True,
        leaks_raw_calls=True,
        schemas="blocks_tools",
    ),
)
RULES = {rules.name: rules for rules in _ALL}
