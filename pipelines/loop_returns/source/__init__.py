"""The dlt source, which the commands run as well: `public` for anyone's pipeline, `chunks` for theirs."""

from loop_returns.source.public import loop_returns_source

__all__ = ["loop_returns_source"]
