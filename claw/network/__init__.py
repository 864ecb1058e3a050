"""Which hosts may be reached, and the two ways to them: a proxy for commands, a fetcher for pages."""
