"""The composition: where every concrete class is known, and wired to the others."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claw import __version__
from claw.agent.budget import CostLimit, TimeLimit, TokenLimit, TurnLimit
from claw.agent.censor import Censor
from claw.agent.context import Conversation, describe_moment
from claw.agent.evidence import Evidence
from claw.agent.executor import Executor
from claw.agent.guards import RepeatedFailures, RunningJobs, UnfinishedReplies
from claw.agent.loop import Agent
from claw.agent.middleware import Middleware
from claw.agent.outcome import Outcome
from claw.agent.prompt import build_prefix, find_agents_files, untrusted_instructions
from claw.agent.queues import EventBus, Subscriber
from claw.agent.report import RunReport
from claw.agent.structured import Structured, load_schema
from claw.agent.verdict import Executed, PlayedToTheEnd, SaidBlocked, Verify
from claw.code.git import find_repository, git_state
from claw.code.worktree import GitWorkTree
from claw.config import Settings
from claw.errors import UsageError
from claw.paths import find_home
from claw.permissions.policy import MODES
from claw.protocol import events
from claw.protocol.codec import PROTOCOL_VERSION
from claw.protocol.events import Event
from claw.providers.base import Chat, Provider
from claw.providers.catalog import load_catalog
from claw.providers.dialect import Media
from claw.providers.limiter import Limiter
from claw.providers.openai_chat import OpenAIChat
from claw.providers.retry import Retry
from claw.providers.uploads import FileUploads
from claw.runtime.policy import Prepared, prepare
from claw.runtime.safety import Safety, make_redactor
from claw.runtime.session import Runtime
from claw.sandbox.jobs import BackgroundJobs
from claw.session.base import SessionFolder, SessionState
from claw.session.blobs import FileBlobs
from claw.session.fold import Fold
from claw.session.journal import Journal, LogReader
from claw.session.store import SessionStore
from claw.tooling.base import Workspace
from claw.tooling.registry import ToolRegistry
from claw.tooling.services import Commands, HostMedia, Job
from claw.tools import all_tools

if TYPE_CHECKING:
    from claw.providers.replay import ReplayProvider


def open_runtime(
    settings: Settings | Prepared,
    environ: Mapping[str, str],
    subscribers: Sequence[Subscriber],
    *,
    answerable: bool = False,
) -> Runtime:
    """Wire a new session, or one that goes on. `answerable`: somebody answers `ApprovalAsked` by an op.

    *Errors*: ClawError for whatever keeps the run from beginning: no key, unknown host, no such session, no
    sandbox.
    """
    prepared = settings if isinstance(settings, Prepared) else prepare(settings, environ, find_home(environ))
    try:
        return _Composition(prepared, environ).build(subscribers, answerable=answerable)
    except BaseException:
        prepared.cancel()
        raise


class _Composition:
    """Builds the parts in the order of what needs what."""

    def __init__(self, prepared: Prepared, environ: Mapping[str, str]) -> None:
        self._prepared = prepared
        self._settings = settings = prepared.settings
        self._environ = environ
        self._home = prepared.home
        if settings.mode not in MODES:
            raise UsageError(f"mode {settings.mode!r}: allowed are {', '.join(MODES)}")
        self._replay: ReplayProvider | None = None
        self._media = HostMedia("replay", Media(images=("png", "jpeg", "webp", "gif")))
        self._key = ""
        self._key_variables: list[str] = []
        self._provider = self._open_provider()
        if settings.limits.max_cost_usd is not None and not self._provider.price_known:
            raise UsageError(f"--max-cost cannot be kept: the price of {self._provider.model} is not known")
        self._redactor = make_redactor(environ, self._home.config, self._key)
        self._store = SessionStore(self._home)
        self._folder, self._past = self._session()
        self._begun: dict[str, Any] | None = None

    def _open_provider(self) -> Provider:
        """The host, a recording of one, or a host with a recorder before it."""
        settings, environ = self._settings, self._environ
        if not (settings.replay or settings.record):
            return self._open_host()
        # 15 ms that most runs need not spend.
        from claw.providers.normalise import Normaliser
        from claw.providers.replay import RecordingProvider, ReplayProvider

        home = Path(environ.get("HOME") or "/nonexistent")
        normaliser = Normaliser(settings.cwd, home, Path(tempfile.gettempdir()))
        if settings.replay:
            self._replay = ReplayProvider(settings.replay, normaliser)
            return self._replay
        assert settings.record
        return RecordingProvider(self._open_host(), settings.record, normaliser)

    def _open_host(self) -> Provider:
        settings, environ = self._settings, self._environ
        catalog = load_catalog(settings.hosts, settings.models)
        self._key_variables = [variable for host in catalog.hosts.values() for variable in host.key_variables]
        endpoint = catalog.resolve(settings.host, settings.model, environ, self._home.config)
        self._media = HostMedia(endpoint.host, endpoint.dialect.media, FileUploads(endpoint))
        self._key = endpoint.key.reveal() if endpoint.key else ""
        return OpenAIChat(endpoint, thinking=settings.thinking, retry=_retry(environ), limiter=Limiter())

    def _session(self) -> tuple[SessionFolder, SessionState | None]:
        """A new session's folder, or an old one's with what was said in it."""
        settings = self._settings
        if settings.resume is None and not settings.continue_latest:
            return self._store.create(settings.cwd), None
        folder = self._store.open(settings.resume) if settings.resume else self._store.latest(settings.cwd)
        self._fold = Fold()
        log = LogReader(folder)
        for event in log:
            self._fold(event)
        self._damage = log.damage
        return folder, self._fold.state()

    def build(self, subscribers: Sequence[Subscriber], *, answerable: bool) -> Runtime:
        settings, past, redactor = self._settings, self._past, self._redactor
        bus = EventBus(self._folder.id, next_seq=past.next_seq if past else 0, censor=Censor(redactor))
        journal = Journal(self._folder, redactor)
        bus.subscribe(journal)
        tally = self._fold.tally if past else Fold().tally
        bus.subscribe(tally)
        for subscriber in subscribers:
            bus.subscribe(subscriber)
        evidence = Evidence(bus.publish)
        bus.subscribe(evidence)
        schema = settings.output_schema
        structured = Structured(load_schema(str(schema)) if isinstance(schema, Path) else schema) if schema else None

        safety = self._safety(bus, answerable=answerable)
        bus.subscribe(safety.note_change)
        jobs = BackgroundJobs(lambda job: _report_job(agent, bus, job))
        workspace = Workspace(
            settings.cwd,
            safety.boundary,
            FileBlobs(self._folder.blobs, self._folder.tmp, redactor),
            safety.commands,
            jobs,
            media=self._media,
            web=safety.web,
            private_tmp=safety.private_tmp,
        )
        registry = ToolRegistry(all_tools())
        work_tree = GitWorkTree(settings.cwd, follow_pointers=settings.trust)
        report = RunReport(evidence, work_tree, structured, settings.cwd)
        bus.subscribe(report.note)
        agent = Agent(
            self._chat(bus, registry, safety, structured.schema if structured else None),
            Conversation(past.messages if past else ()),
            Executor(registry, safety.gate, workspace, bus.publish, approver=safety.approver, redact=redactor),
            bus,
            self._middleware(
                bus,
                safety.commands,
                jobs,
                evidence,
                work_tree,
                structured,
                lambda outcome: agent.stop(outcome),
                lambda: agent.is_last_run,
            ),
            lambda: _moment(workspace, structured.request if structured and not self._provider.holds_to_schema else ""),
            report,
            n_runs=past.info.n_runs if past else 0,
            decide=safety.decide,
            redact=redactor,
        )
        if past:
            workspace.todo = past.todo

        def save() -> None:
            journal.close()
            self._store.update(self._folder, tally.info())

        prompt = self._replay.prompt if self._replay else None
        return Runtime(agent, bus, self._provider, safety, jobs, save, prompt, self._media, registry.specs())

    def _safety(self, bus: EventBus, *, answerable: bool) -> Safety:
        # A replayed model edits within the second in which its tests ran, and Python tells bytecode that is out
        # of date by second and size alone.
        added = {"PYTHONDONTWRITEBYTECODE": "1"} if self._replay else {}
        late: list[Event] = []  # the first event of a log is `SessionStarted`

        def publish(event: Event) -> None:
            (late.append if self._begun is None else bus.publish)(event)

        safety = Safety(
            self._prepared,
            self._environ,
            self._folder,
            publish,
            answerable=answerable,
            added=added,
            withheld=self._key_variables,
        )
        self._begin_log(bus, safety)
        for event in (*self._prepared.notices, *late):
            bus.publish(event)
        return safety

    def _begin_log(self, bus: EventBus, safety: Safety) -> None:
        settings, past = self._settings, self._past
        self._begun = {
            "claw": __version__,
            "cwd": str(settings.cwd),
            "roots": tuple(map(str, safety.boundary.roots)),
            "host": self._provider.host,
            "model": self._provider.model,
            "mode": settings.mode,
            "sandbox": safety.confinement.name,
        }
        if past:
            bus.publish(events.SessionResumed(**self._begun))
            if self._damage:
                bus.publish(events.Notice(text=self._damage))
        else:
            bus.publish(events.SessionStarted(protocol=PROTOCOL_VERSION, **self._begun))

    def _chat(self, bus: EventBus, registry: ToolRegistry, safety: Safety, schema: Any) -> Chat:
        """The conversation with the host; its prefix is the recorded one where the session goes on."""
        settings, past = self._settings, self._past
        if past and past.prefix and past.info.cwd == str(settings.cwd):
            return self._provider.open(past.prefix, session=self._folder.id, schema=schema)
        top = find_repository(settings.cwd, follow_pointers=settings.trust)
        if not top:
            bus.publish(events.Notice(text="not a git repository: git features are off", level="info"))
        trusts = self._trusts()
        if left_out := untrusted_instructions(settings.cwd, top, trusts):
            names = ", ".join(map(str, left_out))
            bus.publish(events.Notice(text=f"not trusted, and not read: {names}; look at it, then say --trust"))
        prefix = build_prefix(
            settings.cwd,
            safety.boundary.roots,
            registry.specs(),
            find_agents_files(settings.cwd, top, self._home.config, trusts),
            safety.note(),
        )
        prefix = self._redactor.value(prefix)
        bus.publish(events.PrefixSet(prefix=prefix))
        return self._provider.open(prefix, session=self._folder.id, schema=schema)

    def _trusts(self) -> Callable[[Path], bool]:
        """`--trust` speaks for the working folder, and for what the repository that it lies in says above it."""
        return lambda folder: self._settings.trust

    def _middleware(
        self,
        bus: EventBus,
        commands: Commands,
        jobs: BackgroundJobs,
        evidence: Evidence,
        work_tree: GitWorkTree,
        structured: Structured | None,
        stop: Callable[[Outcome], None],
        is_last_run: Callable[[], bool],
    ) -> list[Middleware]:
        """In the order in which they are asked; what ends a run for good comes before what sends it on."""
        settings, limits = self._settings, self._settings.limits
        chain: list[Middleware] = []
        if limits.max_turns is not None:
            chain.append(TurnLimit(limits.max_turns))
        if limits.max_cost_usd is not None:
            chain.append(CostLimit(limits.max_cost_usd))
        if limits.max_tokens is not None:
            chain.append(TokenLimit(limits.max_tokens))
        if limits.max_time_s is not None:
            chain.append(TimeLimit(limits.max_time_s, stop))
        chain += [RepeatedFailures(), UnfinishedReplies(), SaidBlocked(), RunningJobs(jobs)]
        if structured:
            chain.append(structured)
        if settings.verify:
            chain.append(Verify(settings.verify, commands, settings.cwd, bus.publish))
        chain.append(Executed(evidence, work_tree))
        if self._replay:
            chain.append(PlayedToTheEnd(self._replay.finish, is_last_run))
        return chain


def _retry(environ: Mapping[str, str]) -> Retry:
    """`CLAW_RETRY_ATTEMPTS` and `CLAW_RETRY_BASE_S` shorten or lengthen the patience with a host that is down."""
    try:
        attempts, base_s = int(environ.get("CLAW_RETRY_ATTEMPTS", 10)), float(environ.get("CLAW_RETRY_BASE_S", 0.5))
    except ValueError as error:
        raise UsageError(f"CLAW_RETRY_ATTEMPTS and CLAW_RETRY_BASE_S are numbers: {error}") from None
    if attempts < 1 or base_s < 0:
        raise UsageError("CLAW_RETRY_ATTEMPTS must be at least 1, and CLAW_RETRY_BASE_S not negative")
    return Retry(attempts=attempts, base_s=base_s)


def _report_job(agent: Agent, bus: EventBus, job: Job) -> None:
    """A background job ended by itself: tell the log, and the model with its next turn."""
    code = job.command.exit_code
    assert code is not None
    bus.publish(events.BackgroundFinished(job=job.id, command=job.command.command, exit_code=code))
    tail = job.command.output.text(2_000).strip()
    agent.notify(
        f"Background job {job.id} (`{job.command.command[:200]}`) ended with exit code {code}."
        + (f" The end of its output:\n{tail}" if tail else ""),
        "background",
    )


async def _moment(workspace: Workspace, request: str) -> str:
    """What rides on the newest user message: today, the state of git, the plan."""
    state = await git_state(workspace.cwd, follow_pointers=bool(workspace.boundary.git_folders))
    moment = describe_moment(f"{datetime.date.today():%Y-%m-%d (%A)}", str(state or ""), workspace.todo)
    return f"{moment}\n{request}" if request else moment
