"""What the warehouse holds: every table and column, and how the API's JSON becomes them."""
