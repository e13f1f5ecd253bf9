"""Generates the table of resources in `pipelines/docs/resources.md`: `python -m loop_returns.docgen.resources`."""

from typing import Final

from loop_returns.docgen import write_page
from loop_returns.tables.resource import Reads, Resource
from loop_returns.tables.resources import RESOURCES

_READ: Final = {
    Reads.SNAPSHOT: "whole, in every run; what is gone is marked",
    Reads.RANGE: "what was made since, and the last `asn_horizon_days` again",
    Reads.EACH: "for each new or changed row of `{parent}`",
}


def resources_table() -> str:
    """The resources as a Markdown table: scope, tables with their keys, when they are read."""
    lines = ["| resource | scope of the key | tables: key after `shop` | read |", "|---|---|---|---|"]
    for one in RESOURCES:
        tables = "<br>".join(f"`{table.name}`: {', '.join(f'`{name}`' for name in table.key[1:])}" for table in one.tables)
        lines.append(f"| `{one.name}` | {one.scope} | {tables} | {_when(one)} |")
    return "\n".join(lines) + "\n"


def _when(resource: Resource) -> str:
    when = _READ[resource.reads].format(parent=resource.parent.name if resource.parent else "")
    when = when.replace("in every run", "once a day") if resource.daily else when
    if resource.still:
        when += f"; and whatever is still {resource.still[1]}"
    return when if resource.by_default else f"{when}; **only when named**, in `extra_resources` or `--only`"


if __name__ == "__main__":
    write_page("resources.md", resources_table())
