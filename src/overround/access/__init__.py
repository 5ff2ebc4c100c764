"""Who may use the service, and how often: API keys, sessions, rate limits."""
