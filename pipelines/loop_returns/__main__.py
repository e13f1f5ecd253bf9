"""`python -m loop_returns` is the console script."""

from loop_returns.cli import main

if __name__ == "__main__":  # helper processes import this file under another name
    main()
