"""Pictures and videos on their way to the model: recognised, checked, and made to fit what the host takes."""
