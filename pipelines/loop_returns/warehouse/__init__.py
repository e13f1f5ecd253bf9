"""One destination: its connection, what it holds, what is loaded into it, who may write to it."""
