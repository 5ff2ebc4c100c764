"""The HTTP service: one module a resource, composed in `app`."""
