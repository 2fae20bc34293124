"""`python -m orchestrator` is the command `orchestrator`. It holds nothing of its own."""

from orchestrator.cli import main

if __name__ == "__main__":
    main()
