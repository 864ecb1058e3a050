"""Signals, from the interpreter's own module: `signal` wraps it in enumerations, and takes milliseconds to import."""

from __future__ import annotations

from _signal import (  # type: ignore[import-not-found]
    SIG_DFL,
    SIG_SETMASK,
    SIGCHLD,
    SIGCONT,
    SIGHUP,
    SIGINT,
    SIGKILL,
    SIGPIPE,
    SIGQUIT,
    SIGSTOP,
    SIGTERM,
    SIGTSTP,
    SIGUSR1,
    SIGUSR2,
    SIGWINCH,
    SIGXFSZ,
    alarm,
    pthread_sigmask,
    signal,
    sigtimedwait,
)

__all__ = [
    "SIGCHLD", "SIGCONT", "SIGHUP", "SIGINT", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGTERM", "SIGTSTP",
    "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGXFSZ", "SIG_DFL", "SIG_SETMASK", "alarm", "pthread_sigmask", "signal",
    "sigtimedwait",
]  # fmt: skip
