"""Everything that talks to Loop: politely, and never trusting an answer by its status alone."""
