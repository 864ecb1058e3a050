"""What keeps one session to what its user allowed: boundary, gate, questions, sandbox, network, redaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from claw.code.location import locate
from claw.config import Settings
from claw.errors import UsageError
from claw.network.fetch import Fetcher
from claw.network.gate import NetworkGate
from claw.network.proxy import Proxy
from claw.permissions.base import Decision
from claw.permissions.broker import Broker
from claw.permissions.policy import PolicyGate
from claw.permissions.rules import RuleBook
from claw.permissions.store import RuleStore
from claw.protocol import events
from claw.protocol.ops import Answer, SetMode
from claw.redact import Redactor, secret_values
from claw.runtime.policy import Prepared, forget_old_tmp, forget_tmp, make_boundary, user_home
from claw.sandbox.base import Confinement
from claw.sandbox.environment import folder_variables
from claw.sandbox.plain import Plain
from claw.sandbox.process import ShellCommands
from claw.sandbox.select import NoSandbox
from claw.session.base import SessionFolder
from claw.tooling.base import Access, Effect

Publish = Callable[[events.Event], None]


def make_redactor(environ: Mapping[str, str], config: Path, key: str) -> Redactor:
    """Knows the key of the host, those that are kept for other hosts, and what the names of variables say is secret."""
    kept: list[str] = []
    if (config / "credentials.json").exists():
        from claw.providers.keys import KeyStore  # most keys are in the environment

        kept = KeyStore(config).values()
    return Redactor([*secret_values(environ), *kept, *([key] if key else [])])


class Safety:
    """Built once for a session, before its agent. *Order*: `start` on the loop before anything runs, `close` last.

    *Errors*: NoSandbox where commands are to be confined and cannot be, and nobody is there to be asked.
    """

    def __init__(
        self,
        prepared: Prepared,
        environ: Mapping[str, str],
        folder: SessionFolder,
        publish: Publish,
        *,
        answerable: bool,
        added: Mapping[str, str],
        withheld: Sequence[str],
    ) -> None:
        settings, policy, home = prepared.settings, prepared.policy, prepared.home
        self._policy = policy
        self._home = home
        self._publish = publish
        self.boundary = make_boundary(
            settings,
            environ,
            home,
            readable=(folder.blobs.resolve(),),
            scratch=(policy.tmp,),
            git_folders=_pointed(settings) if settings.trust else (),
        )
        self.confinement = _confinement(prepared, environ, folder, publish, answerable=answerable)
        self.private_tmp = policy.tmp if self.confinement.name.startswith("bubblewrap") else None
        folders = folder_variables(Path("/tmp") if self.private_tmp else policy.tmp, policy.cache)
        self.commands = ShellCommands(
            environ,
            folder.tmp,
            self.confinement,
            names=settings.confine.env,
            withheld=withheld,
            added=added if self.confinement.name == "none" else {**folders, **added},
        )
        network = NetworkGate(settings.network, settings.network_hosts)
        book = RuleBook(settings.rules, user_home(environ))
        store = RuleStore(home, settings.cwd)
        self.rules = book
        for problem in store.recall(book):
            publish(events.Notice(text=problem))
        self.gate = PolicyGate(
            settings.mode,
            self.boundary,
            book,
            confined=self.confinement.name != "none",
            cwd=settings.cwd,
            network=settings.network,
            hosts=settings.network_hosts,
        )
        self.broker = Broker(publish, book, store, answerable=answerable)
        self.approver = self.broker if answerable else None
        self.web = Fetcher(network, self._may_fetch)
        self._proxy = Proxy(network, lambda text: publish(events.Notice(text=text)))

    def note(self) -> str:
        """What the model should know of the walls around its commands, so that it does not run against them."""
        name, policy = self.confinement.name, self._policy
        if name == "none":
            return "Commands are not confined: they have the rights of the user. Be all the more careful."
        where = ", ".join(map(str, policy.writable)) or "nothing but temporary files"
        reach = {"off": "no network", "on": "the network", "hosts": "some hosts only, by a proxy that is set up"}
        tmp = "/tmp, which is private and kept for this session" if self.private_tmp else "$TMPDIR, not /tmp"
        return (
            f"Commands run confined ({name}). They may write {where}; temporary files go to {tmp}. They have "
            f"{reach[policy.network]}. What runs code by lying there (.git/hooks, .git/config, .claw, .vscode, .envrc) "
            "cannot be written. What a command starts ends with it, unless it is a background job. Do not try to get "
            "around a wall: say what you need instead."
        )

    def decide(self, op: Answer | SetMode) -> None:
        """What a person says about permissions."""
        if isinstance(op, Answer):
            self.broker.answer(op)
            return
        try:
            self.gate.set_mode(op.mode)
        except UsageError as error:
            self._publish(events.Notice(text=str(error)))
        else:
            self._publish(events.ModeChanged(mode=op.mode))

    def note_change(self, event: events.Event) -> None:
        """Subscriber: what a tool wrote with leave is not what a command left behind."""
        if isinstance(event, events.FileChanged):
            self.confinement.accept(Path(event.path))

    def _may_fetch(self, url: str) -> bool:
        return self.gate.judge("web_fetch", Access(Effect.READ, url=url)).decision is Decision.ALLOW

    async def start(self) -> None:
        """*Errors*: UsageError where the proxy cannot listen."""
        if self._policy.proxy_socket:
            await self._proxy.start(self._policy.proxy_socket)

    async def close(self) -> None:
        """Everything that commands started is dead afterwards, and their temporary files are gone."""
        self.broker.close()
        await self.commands.close()
        await self._proxy.close()
        forget_tmp(self._policy)
        forget_old_tmp(self._home)


def _pointed(settings: Settings) -> tuple[Path, ...]:
    """Git's folders of a linked work tree or a submodule, which lie elsewhere."""
    if locate(settings.cwd) or not (found := locate(settings.cwd, follow_pointers=True)):
        return ()
    return tuple(dict.fromkeys((found.git_dir.resolve(), found.common_dir.resolve())))


def _confinement(
    prepared: Prepared, environ: Mapping[str, str], folder: SessionFolder, publish: Publish, *, answerable: bool
) -> Confinement:
    """The back-end that holds. Without one every command is asked for, where there is somebody to ask."""
    try:
        return prepared.sandbox.finish(
            quarantine=folder.tmp / "taken-away", on_restored=publish, home=user_home(environ)
        )
    except NoSandbox as error:
        if not answerable or prepared.settings.sandbox == "required":
            raise
        publish(events.Notice(text=f"{error} Every command is asked for."))
        return Plain()
