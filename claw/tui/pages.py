"""What commands such as /status show, in Markdown: put together from what is known, and painted like an answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from claw.config import Settings
from claw.paths import Home
from claw.printable import one_line
from claw.protocol.details import TodoItem
from claw.tui.figures import Figures
from claw.tui.plot import plot

if TYPE_CHECKING:
    from claw.runtime.costs import CostReport
    from claw.runtime.session import Runtime

KEYS = (
    ("At the prompt", (
        ("Enter", "send; while claw works: say it to the model at once"),
        ("Tab, Alt-Enter", "send it when the work has ended"),
        ("Ctrl-J, \\ Enter", "a new line"),
        ("Up, Down", "what was typed before; on an empty prompt Up takes back what is queued"),
        ("@", "name a file"),
        ("/", "a command"),
        ("!", "run a command yourself, with your rights"),
        ("Ctrl-G", "write in your editor"),
        ("Ctrl-C", "empty the prompt, interrupt, leave: whichever comes first"),
    )),
    ("While claw works", (
        ("Esc", "interrupt"),
        ("Shift-Tab", "the next mode: ask, auto-edit, full-auto"),
        ("y s p u n", "answer a question: once, session, project, always, no"),
    )),
    ("The transcript", (
        ("PageUp, PageDown, wheel", "scroll"),
        ("Ctrl-Home, Ctrl-End", "to the beginning, to the end"),
        ("Ctrl-Up", "to what you said before"),
        ("Ctrl-F", "search; Enter goes to the next one above, Shift-Enter below"),
        ("Ctrl-O", "unfold everything, or fold it"),
        ("Ctrl-T", "unfold the thinking"),
        ("Ctrl-L", "draw the screen anew"),
        ("Ctrl-D", "leave, if the prompt is empty"),
    )),
)  # fmt: skip


def code(text: object) -> str:
    """As it stands, whatever is in it."""
    shown = one_line(str(text), 400).replace("`", "'")
    return f"`{shown}`" if shown else "none"


def _list(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- **{name}**: {value}" for name, value in pairs if value)


def dollars(cost_usd: float | None) -> str:
    if cost_usd is None:
        return "unknown"
    return f"${cost_usd:.2f}" if cost_usd >= 0.1 or not cost_usd else f"${cost_usd:.4f}"


def keys_page() -> str:
    return "\n\n".join(
        f"**{title}**\n\n" + "\n".join(f"- `{key}`  {text}" for key, text in rows) for title, rows in KEYS
    )


def status_page(figures: Figures, settings: Settings, session: str, title: str, branch: str) -> str:
    limits = settings.limits
    bounds = [(limits.max_turns, "turns"), (limits.max_tokens, "tokens"), (limits.max_time_s, "seconds")]
    limited = [f"{value:g} {word}" for value, word in bounds if value]
    limited += [dollars(limits.max_cost_usd)] if limits.max_cost_usd else []
    return _list([
        ("session", code(session) + (f" {one_line(title, 80)}" if title else "")),
        ("folder", code(settings.cwd)),
        ("branch", code(branch) if branch else ""),
        ("model", f"{code(figures.model)} at {code(figures.host)}, thinking {'on' if settings.thinking else 'off'}"),
        ("mode", figures.mode),
        ("sandbox", f"{figures.sandbox}, network {settings.network}"),
        ("work", f"{figures.n_turns} turns, {figures.n_tool_calls} calls since it was opened"),
        ("context", f"{figures.context_tokens:,} of {figures.window_tokens:,} tokens ({figures.context_share:.0%})"),
        ("cost", dollars(figures.cost_usd)),
        ("limits", ", ".join(limited) or "none"),
    ])  # fmt: skip


def context_page(figures: Figures) -> str:
    used, window = figures.context_tokens, figures.window_tokens
    if not used:
        return "Nothing was sent yet."
    last = figures.last
    text = (
        f"**{used:,}** of {window:,} tokens ({figures.context_share:.0%}) are used; {window - used:,} are left.\n\n"
        f"- last request: {last.input:,} in, of which {last.cached:,} from the cache, {last.output:,} out\n"
        f"- since it was opened: {figures.usage.input:,} in ({figures.cached_share:.0%} cached), "
        f"{figures.usage.output:,} out"
    )
    if len(figures.points) > 2:
        text += f"\n\n```\n{plot([(ts, tokens) for ts, _, tokens in figures.points], 'tokens in the window')}\n```"
    return text


def cost_page(figures: Figures, report: CostReport) -> str:
    total = report.total
    lines = [
        f"**{dollars(total.cost_usd)}** for {total.n_requests} requests, "
        f"{total.cache_share:.0%} of the input from the cache"
    ]
    rows = ["| tool | calls | cost |", "| --- | ---: | ---: |"]
    rows += [f"| {one_line(tool.name, 40)} | {tool.n_calls} | {dollars(tool.cost_usd)} |" for tool in report.tools[:12]]
    rows.append(f"| the conversation itself | | {dollars(report.conversation_usd)} |")
    lines.append("\n".join(rows))
    if (hourly := figures.forecast_usd()) is not None:
        lines.append(f"At the pace of the last requests an hour costs {dollars(hourly)}.")
    if report.forecast:
        lines.append(f"The next request costs about {dollars(report.forecast.cost_usd)}.")
    if len(figures.points) > 2 and figures.cost_usd:
        lines.append(f"```\n{plot([(ts, cost) for ts, cost, _ in figures.points], 'dollars', digits=4)}\n```")
    return "\n\n".join(lines)


def todo_page(items: Sequence[TodoItem]) -> str:
    signs = {"done": "[x]", "in_progress": "[>]"}
    return (
        "\n".join(f"- {signs.get(item.status, '[ ]')} {one_line(item.text, 400)}" for item in items)
        or "There is no plan."
    )


def tools_page(runtime: Runtime) -> str:
    return "\n".join(f"- `{tool.name}`  {one_line(tool.description.partition('.')[0], 160)}" for tool in runtime.tools)


def tasks_page(runtime: Runtime) -> str:
    rows = []
    for job in runtime.background():
        code_ = job.command.exit_code
        state = f"runs for {job.command.duration_s:.0f} s" if code_ is None else f"ended with {code_}"
        tail = one_line(job.command.output.text(200).strip().rpartition("\n")[2], 120)
        rows.append(f"- **{job.id}** {code(job.command.command)}: {state}" + (f"\n  {code(tail)}" if tail else ""))
    return "\n".join(rows) or "Nothing runs in the background."


def permissions_page(runtime: Runtime, figures: Figures, home: Home) -> str:
    book = runtime.rules
    parts = [f"The mode is **{figures.mode}**. What denies beats what asks, and that beats what allows."]
    for title, rules in (("Denied", book.deny), ("Asked for", book.ask), ("Allowed", book.allow)):
        if rules:
            parts.append(f"**{title}**\n\n" + "\n".join(f"- {code(rule.text)}" for rule in rules))
    parts.append(
        f"Rules come from flags, from {code(home.config_file)}, and from answers that were kept in "
        f"{code(home.config / 'approvals.toml')}."
    )
    return "\n\n".join(parts)


def config_page(settings: Settings, home: Home) -> str:
    file = home.config_file
    values = [("host", settings.host), ("model", settings.model or "the host's default"), ("mode", settings.mode),
              ("sandbox", settings.sandbox), ("network", settings.network),
              ("hosts that may be reached", ", ".join(settings.network_hosts)),
              ("trusted", "yes" if settings.trust else "no"),
              ("further folders", ", ".join(map(str, settings.add_dirs)))]  # fmt: skip
    state = "is read at every start" if file.exists() else "is not there: defaults are used"
    return _list((name, code(value)) for name, value in values if value) + f"\n\n{code(file)} {state}."


def trust_page(trusted: bool, survey: Sequence[str]) -> str:
    lines = "\n".join(line.replace("```", "'''") for line in survey)
    word = (
        "It is trusted. `/trust no` takes that back."
        if trusted
        else "It is **not** trusted. `/trust yes` trusts it as it stands."
    )
    return f"What this folder would make claw do:\n\n```\n{lines}\n```\n\n{word}"
