"""The tag of an op or event on the wire: its class name in snake case."""


def snake_case(name: str) -> str:
    """`ToolFinished` → `tool_finished`."""
    return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))
