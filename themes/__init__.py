"""Colours for the terminal, one TOML file a theme; read by `claw.tui.theme`."""
