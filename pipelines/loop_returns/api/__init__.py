"""Requests to the Loop Returns API: rate limit, retries, and checks of every response beyond its HTTP status."""
