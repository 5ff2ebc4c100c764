"""The benchmark of the whole pipeline: simulator, PostgreSQL and service as processes of their own."""
