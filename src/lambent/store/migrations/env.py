"""Alembic's entry: runs the migrations on the connection that `migrate.py` hands over, in its transaction."""

from alembic import context

from lambent.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite does roll tables back; Alembic's default expects the driver's habit of committing before DDL,
    # which `migrate.py` turns off.
    transactional_ddl=True,
)
context.run_migrations()
