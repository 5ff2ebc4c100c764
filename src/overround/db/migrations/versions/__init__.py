"""The migrations, in the order of their numbers; a released one is never changed."""
