"""The agent: ask the model, run the tools it calls, go on until it rests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

from claw.agent.context import Conversation
from claw.agent.executor import Executor
from claw.agent.middleware import Middleware, Word
from claw.agent.outcome import DONE, Outcome, Run
from claw.agent.queues import EventBus, Waiting
from claw.errors import ClawError, ExitCode
from claw.printable import one_line
from claw.protocol import events, ops
from claw.protocol.messages import AssistantMessage, Content, Usage, UserMessage, as_content
from claw.providers.base import Chat, ReasoningChunk, Reply, Retrying, TextChunk
from claw.redact import Redactor

TITLE_LIMIT_CHARS = 80
FinishRun = Callable[[Run, Outcome], events.RunFinished]


class Agent:
    """One conversation at work. Ops go in through `submit`, events leave through the bus.

    `moment` gives the context of a new user message; `report` turns the end of a run into its event;
    `decide` takes what people say about permissions. What enters the conversation goes through `redact` first.
    """

    def __init__(
        self,
        chat: Chat,
        conversation: Conversation,
        executor: Executor,
        bus: EventBus,
        middleware: Sequence[Middleware],
        moment: Callable[[], Awaitable[str]],
        report: FinishRun,
        n_runs: int = 0,
        *,
        decide: Callable[[ops.Answer | ops.SetMode], None] | None = None,
        redact: Redactor | None = None,
    ) -> None:
        self._chat = chat
        self._conversation = conversation
        self._executor = executor
        self._bus = bus
        self._middleware = middleware
        self._moment = moment
        self._report = report
        self._n_runs = n_runs
        self._decide = decide
        self._redact = redact or Redactor(())
        self._turns_to_do: asyncio.Queue[Content | None] = asyncio.Queue()  # None: there will be no more
        self._input_ended = False
        self._waiting = Waiting()
        self._work: asyncio.Task[Outcome] | None = None
        self._stopped_with: Outcome | None = None

    def submit(self, op: ops.AnyOp) -> None:
        """Take an op; never blocks. See `claw.protocol.ops` for what each does."""
        match op:
            case ops.Steer(content) if self._work:
                self._waiting.add(content, "steer")
            case ops.Steer(content) | ops.UserTurn(content):
                self._turns_to_do.put_nowait(content)
            case ops.Answer() | ops.SetMode() if self._decide:
                self._decide(op)
            case ops.SetTitle(title):
                self._bus.publish(events.TitleChanged(title=one_line(title, TITLE_LIMIT_CHARS)))
            case ops.Interrupt():
                self.stop(Outcome(ExitCode.INTERRUPTED, "interrupted"))
            case ops.Shutdown(terminated):
                code = ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED
                self.stop(Outcome(code, code.name.lower()))
                while not self._turns_to_do.empty():
                    self._turns_to_do.get_nowait()
                self.end_of_input()

    def end_of_input(self) -> None:
        """No more ops will come: end once everything that was asked is done."""
        self._input_ended = True
        self._turns_to_do.put_nowait(None)

    def notify(self, text: str, source: str) -> None:
        """Tell the model something on claw's own behalf, at the end of the current turn or with the next run."""
        self._waiting.add(as_content(text), source)

    def stop(self, outcome: Outcome) -> None:
        """End the current run with `outcome`; the first call counts."""
        if self._work and not self._stopped_with:
            self._stopped_with = outcome
            self._work.cancel()

    @property
    def is_last_run(self) -> bool:
        """Whether the end of the input has come and nothing waits behind the current run."""
        return self._input_ended and self._turns_to_do.qsize() == 1

    async def serve(self) -> None:
        """Work on one user turn after the other until `Shutdown` or the end of input."""
        while (content := await self._turns_to_do.get()) is not None:
            await self._run(content)

    async def _run(self, content: Content) -> None:
        self._n_runs += 1
        run, outcome = Run(self._n_runs), Outcome(ExitCode.ERROR, "claw failed; see the traceback")
        self._bus.publish(events.RunStarted(run=run.number))
        self._work = asyncio.create_task(self._turns(run, content))
        try:
            outcome = await self._work
        except ClawError as error:
            outcome = Outcome.of(error)
        except asyncio.CancelledError:
            if not self._stopped_with:
                raise
            outcome = self._stopped_with
        finally:
            self._work = self._stopped_with = None
            for middleware in self._middleware:
                outcome = await middleware.run_ended(run, outcome)
            self._bus.publish(self._report(run, outcome))

    async def _turns(self, run: Run, content: Content) -> Outcome:
        for middleware in self._middleware:
            await middleware.run_started(run)
        self._say(content, "user", await self._moment())
        while True:
            for said in self._waiting.take():
                self._say(said.content, said.source)
            for middleware in self._middleware:
                if outcome := middleware.before_turn(run):
                    return outcome
            run.n_turns += 1
            self._bus.publish(events.TurnStarted(turn=run.n_turns))
            reply = await self._ask(run)
            word = await (self._use_tools(run, reply) if reply.message.tool_calls else self._rest(run, reply))
            self._bus.publish(events.TurnFinished(turn=run.n_turns))
            if isinstance(word, Outcome):
                return word
            if word:
                self._say(as_content(word.text), word.source)

    def _say(self, content: Content, source: str, context: str = "") -> None:
        message = self._redact.value(UserMessage(content, context))
        self._conversation.add(message)
        self._bus.publish(events.UserMessageAdded(message=message, source=source))

    async def _ask(self, run: Run) -> Reply:
        reasoning: list[str] = []
        text: list[str] = []
        try:
            async with aclosing(self._chat.ask(self._conversation.messages)) as stream:
                async for item in stream:
                    match item:
                        case ReasoningChunk(chunk):
                            reasoning.append(chunk)
                            self._bus.publish(events.ReasoningDelta(text=chunk))
                        case TextChunk(chunk):
                            text.append(chunk)
                            self._bus.publish(events.TextDelta(text=chunk))
                        case Retrying(attempt, delay_s, reason, partial_chars):
                            void = AssistantMessage("".join(text), "".join(reasoning) or None, interrupted=True)
                            reasoning, text = [], []
                            self._bus.publish(
                                events.RetryScheduled(
                                    attempt=attempt,
                                    delay_s=delay_s,
                                    reason=reason,
                                    void=void if partial_chars else None,
                                )
                            )
                        case Reply():
                            return self._take(run, item)
        except asyncio.CancelledError:
            if reasoning or text:
                partial = AssistantMessage("".join(text), "".join(reasoning) or None, interrupted=True)
                self._take(run, Reply(partial, "interrupted", None, 0.0))
            raise
        raise AssertionError("a chat ends with a Reply or raises")

    def _take(self, run: Run, reply: Reply) -> Reply:
        """The reply is part of the conversation from here on; its calls are run as they came."""
        message = self._redact.value(reply.message)
        run.count(reply.usage, reply.cost_usd)
        run.result = message.content or run.result
        self._conversation.add(message)
        self._bus.publish(events.ReplyFinished(message=message, finish_reason=reply.finish_reason, model=reply.model))
        usage, reported = reply.usage or Usage(), reply.usage is not None and not reply.is_estimate
        self._bus.publish(events.UsageReported(usage=usage, cost_usd=reply.cost_usd, reported=reported))
        return reply

    async def _use_tools(self, run: Run, reply: Reply) -> Word:
        batch = self._executor.prepare(reply.message.tool_calls, cut_off=reply.finish_reason == "length")
        try:
            for middleware in self._middleware:
                await middleware.before_tools(run)
            await batch.run()
        finally:  # an interrupted call has a result too: a call without one makes hosts refuse the conversation
            answered = batch.answered()
            run.n_tool_calls += len(answered)
            run.n_denied += sum(one.result.denied for one in answered)
            self._conversation.add(*(one.message for one in answered))
        word: Word = None
        for middleware in self._middleware:
            word = middleware.after_turn(run, answered) or word
            if isinstance(word, Outcome):
                break
        return word

    async def _rest(self, run: Run, reply: Reply) -> Word:
        """The model called nothing: it is done, unless someone has a word to add."""
        for middleware in self._middleware:
            if self._waiting:
                return None
            if word := await middleware.before_rest(run, reply.message, reply.finish_reason):
                return word
        return None if self._waiting else DONE
