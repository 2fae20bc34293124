"""Where Alembic begins: on the connection that `orchestrator.store.migrate` hands over, inside its
transaction. It opens no database, and it leaves logging alone."""

from alembic import context

from orchestrator.store import guards, public, schema


def run() -> None:
    """Migrate; the views and guards around the tables go before and are made anew after."""
    connection = context.config.attributes["connection"]
    public.drop(connection)
    context.configure(
        connection=connection,
        target_metadata=schema.metadata,
        transactional_ddl=True,
    )
    context.run_migrations()
    public.create(connection)
    guards.create(connection)


run()
