"""What all endpoints share: security, problem details, middleware, the OpenAPI document."""
