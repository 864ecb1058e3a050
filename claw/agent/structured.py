"""A final answer that fits a JSON schema: asked for, validated, and sent back twice before giving up."""

from __future__ import annotations

import json
import re
from typing import Any

from claw.agent.middleware import Middleware, Reminder, Word
from claw.agent.outcome import Outcome, Run
from claw.errors import ExitCode, UsageError
from claw.protocol.messages import AssistantMessage

_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)


class Structured(Middleware):
    """`value` is the validated answer, None before there is one.

    The answer is never forced by `tool_choice`: hosts of Kimi refuse that while the model thinks.

    *Errors*: UsageError for what is no JSON schema.
    """

    def __init__(self, schema: Any, max_repairs: int = 2) -> None:
        import jsonschema  # 0.1 s; only where a schema is given

        kind = jsonschema.validators.validator_for(schema)
        try:
            kind.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise UsageError(f"--output-schema: not a JSON schema: {error.message}") from None
        self.schema = schema
        self._validator = kind(schema)
        self._max_repairs = max_repairs
        self._n_repairs = 0
        self.value: Any = None

    @property
    def request(self) -> str:
        """What the model is told with the user's message."""
        return (
            "Your final answer must be one JSON value that fits this JSON schema, with nothing before or after it:\n"
            + json.dumps(self.schema, ensure_ascii=False)
        )

    async def run_started(self, run: Run) -> None:
        self._n_repairs, self.value = 0, None

    async def before_rest(self, run: Run, reply: AssistantMessage, finish_reason: str) -> Word:
        try:
            value = extract_json(reply.content)
        except ValueError as error:
            fault = f"it is not JSON: {error}"
        else:
            faults = sorted(self._validator.iter_errors(value), key=lambda each: each.json_path)
            if not faults:
                self.value = value
                return None
            fault = "; ".join(f"{each.json_path}: {each.message}" for each in faults[:5])[:2_000]
        if self._n_repairs >= self._max_repairs:
            return Outcome(ExitCode.SCHEMA, f"the answer does not fit the schema: {fault}")
        self._n_repairs += 1
        return Reminder(
            f"Your answer does not fit the JSON schema: {fault}\nGive the whole answer again. {self.request}"
        )


def extract_json(text: str) -> Any:
    """The JSON value that is `text`, or that stands in its only code fence.

    *Errors*: ValueError.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        if len(fenced := _FENCED.findall(text)) == 1:
            return json.loads(fenced[0], parse_constant=_refuse)
        raise


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def load_schema(path: str) -> Any:
    """*Errors*: UsageError that names the file."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise UsageError(f"--output-schema {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"--output-schema {path}: not JSON: {error}") from None
