"""A small Azure, written from `azure-facts.md`: enough of ARM to patch machines against.

`Azure` (world.py) answers requests as values, `app.py` puts it on a wire, `fleet` draws machines,
`faults.py` and `moods.py` name what can go wrong. It imports nothing of the orchestrator, so that
the two share no mistakes.
"""
