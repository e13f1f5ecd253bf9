"""How many rows a run may mark as deleted by itself: an answer that lacks many is more likely wrong than right."""

from typing import Final

from loop_returns.runs.ledger import Run

ALWAYS: Final = 2  # rows that may be gone from any shop
FEW: Final = 20  # that may be gone, unless they are more than half
_SHARE: Final = 0.05  # of what the warehouse holds
_ALLOW: Final = "If that stays so and Loop really no longer has them, run the same command once with --allow-deletions."


def usual(held: int) -> int:
    """How many of so many rows may be gone without somebody having to look."""
    return max(ALWAYS, min(FEW, held // 2), int(held * _SHARE))


def refuse(run: Run, problem: str, *, cure: str = _ALLOW) -> None:
    """Ends the run with exit code 3 and says why; what it loaded stays."""
    run.outcome, run.exit_code = "check_failed", 3
    run.notices.append(f"{problem} None of them was marked as deleted, and the next run looks again. {cure}")
