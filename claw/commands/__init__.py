"""What a person can say with a slash: functions that return ops or a `UiRequest`."""
