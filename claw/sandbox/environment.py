"""The environment of commands: what is known to be harmless and needed, and nothing that waits for a keyboard."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|_PASS$|_PAT$|_PWD$", re.IGNORECASE)

# What a program needs to find its way, its language and its tools. Everything else stays outside: keys, what
# changes how a shell, a loader or an interpreter runs (BASH_ENV, LD_PRELOAD, NODE_OPTIONS, PYTHONSTARTUP),
# which repository git works on (claw may be started from a hook), the sockets of agents and desktops.
_KEPT = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "LINES",
    "CI", "NO_COLOR", "SOURCE_DATE_EPOCH", "MANPATH", "INFOPATH",
    "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_DATA_DIRS", "XDG_CONFIG_DIRS",
    "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING",
    "VIRTUAL_ENV", "PYENV_ROOT", "PYENV_VERSION", "POETRY_HOME", "PIPX_HOME", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT",
    "JAVA_HOME", "JDK_HOME", "MAVEN_HOME", "M2_HOME", "GRADLE_HOME", "SDKMAN_DIR", "KOTLIN_HOME", "SCALA_HOME",
    "GOPATH", "GOROOT", "GOBIN", "GOMODCACHE", "GOOS", "GOARCH", "GO111MODULE", "GOTOOLCHAIN", "CGO_ENABLED",
    "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR",
    "NVM_DIR", "NVM_BIN", "NODE_ENV", "NODE_PATH", "VOLTA_HOME", "FNM_DIR", "PNPM_HOME", "BUN_INSTALL", "DENO_DIR",
    "RBENV_ROOT", "RBENV_VERSION", "GEM_HOME", "GEM_PATH", "BUNDLE_PATH", "ASDF_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR",
    "DOTNET_ROOT", "NUGET_PACKAGES", "ANDROID_HOME", "ANDROID_SDK_ROOT", "FLUTTER_ROOT", "HOMEBREW_PREFIX",
    "CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "PKG_CONFIG_PATH", "CMAKE_PREFIX_PATH", "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "NIX_PATH", "NIX_PROFILES", "NIX_SSL_CERT_FILE", "LOCALE_ARCHIVE",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
})  # fmt: skip
_KEPT_PREFIXES = ("LC_", "CONDA_", "MAMBA_")

# Nobody sits at a keyboard: no pager, no prompt, no editor, no colours; and Python prints at once, so
# that its output can be watched.
_SET = {
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "MANPAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "PYTHONUNBUFFERED": "1",
}

# Never brought by a pattern; whoever wants one of them names it in full.
_STEERS = re.compile(
    r"LD_|DYLD_|GIT_|CLAW_|BASH_|PYTHON(STARTUP|HOME|INSPECT)|(NODE|PERL5|JAVA_TOOL|RUBY)_?OPT|ENV$|PROMPT_COMMAND"
)


def looks_secret(name: str) -> bool:
    """Whether a variable of this name is kept from commands. Its value is not looked at."""
    return _SECRET.search(name) is not None


def command_environment(
    environ: Mapping[str, str],
    *,
    names: Collection[str] = (),
    withheld: Collection[str] = (),
    added: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What commands get of `environ`, with `added` put in.

    `names` are the user's own wishes, `DB_HOST` or `DB_*`. What is named in full comes as it is; what only
    a pattern fits is left out where it looks like a secret. `withheld` never comes: the keys of model hosts.
    """
    wished = {name: value for name, value in environ.items() if name in names}
    patterns = [name for name in names if name.endswith("*")]
    kept = {
        name: value
        for name, value in environ.items()
        if not looks_secret(name) and (_is_kept(name, value) or (patterns and _fits(name, patterns)))
    }
    environment = kept | _SET | dict(added or {}) | wished
    return {name: value for name, value in environment.items() if name not in withheld}


def _is_kept(name: str, value: str) -> bool:
    if name.lower().endswith("_proxy") and "@" in value:  # a user and a password
        return False
    return name in _KEPT or name.startswith(_KEPT_PREFIXES)


def _fits(name: str, patterns: list[str]) -> bool:
    return not _STEERS.match(name) and any(fnmatchcase(name, pattern) for pattern in patterns)


def folder_variables(tmp: Path, cache: Path) -> dict[str, str]:
    """Where programs put temporary files and caches: the home folder cannot be written.

    Most caches follow `XDG_CACHE_HOME`; named are those that do not.
    """
    folders = {
        "XDG_CACHE_HOME": cache,
        "npm_config_cache": cache / "npm",
        "YARN_GLOBAL_FOLDER": cache / "yarn",
        "BUN_INSTALL_CACHE_DIR": cache / "bun",
        "GRADLE_USER_HOME": cache / "gradle",
        "DOTNET_CLI_HOME": cache / "dotnet",
        "MPLCONFIGDIR": cache / "matplotlib",
    }
    if sys.platform == "darwin":
        folders |= {"GOCACHE": cache / "go-build", "PIP_CACHE_DIR": cache / "pip"}
    temporary = dict.fromkeys(("TMPDIR", "TMP", "TEMP"), tmp)
    return {name: str(folder) for name, folder in (folders | temporary).items()}
