"""What is read of a shop, and how: plans, tasks, pages, chunks."""
