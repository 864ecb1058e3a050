"""Sessions on disk: the log is the only truth, everything else can be rebuilt from it."""
