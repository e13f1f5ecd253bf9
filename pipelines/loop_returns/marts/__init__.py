"""Views and tables for analysts on top of the raw tables; the texts are the `.sql` files beside this one.

`refresh(pipeline)` creates or replaces them, `all_marts()` lists what they are.
"""

from loop_returns.marts.files import VERSION, Mart, all_marts, column_comments
from loop_returns.marts.outside import given_by
from loop_returns.marts.types import arrow_schemas
from loop_returns.marts.views import are_current, is_depended_on, refresh

__all__ = [
    "VERSION",
    "Mart",
    "all_marts",
    "are_current",
    "arrow_schemas",
    "column_comments",
    "given_by",
    "is_depended_on",
    "refresh",
]
