"""The shell: load, plan, do, save. It decides nothing; every decision is made in
`orchestrator.domain`."""
