"""What Alembic runs around the revisions, on the connection that `migrate` hands in."""

from alembic import context

from hilum.stores.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
