"""From a configuration file to frozen settings. Reads files and the environment; decides nothing.

Light on purpose: `loading` brings pydantic and YAML with it, `problems` and `settings` do not.
"""
