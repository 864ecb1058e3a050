"""The slash commands: functions that return ops or a request to the screen."""
