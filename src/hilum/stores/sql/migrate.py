"""Bring a database to the schema of this code."""
from hilum.stores.sql.database import database_url
from hilum.stores.sql.schema import metadata
from hilum.stores.sql.sqlite import sqlite_engine
from hilum.stores.sql.postgresql import postgresql_engine
def migrate(url):
    u=database_url(url)
    e=sqlite_engine(u) if u.get_backend_name()=="sqlite" else postgresql_engine(u)
    metadata.create_all(e); e.dispose()
def current(url): return None
