"""What to read from the shop and when the cursor may move: sync, backfill, reconcile, and what they share."""
