"""Where Alembic gets its database: the connection of `crmctl.store.migrate`, else the URL of the command line.

    alembic -x url=sqlite:////path/crmctl.db upgrade head

The whole upgrade is one transaction on both databases, so that a killed one leaves the former state.
"""

from __future__ import annotations

from logging.config import fileConfig

from alembic import context
from sqlalchemy.engine import Connection

from crmctl.errors import CrmctlError
from crmctl.store import migrate
from crmctl.store.engine import open_engine
from crmctl.store.schema import load_all


def run(connection: Connection) -> None:
    """Migrate (or compare, or show) within the transaction of `connection`."""
    context.configure(
        connection=connection,
        target_metadata=load_all(),
        transactional_ddl=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def given_url() -> str:
    """Return the database URL of `-x url=…`, else of alembic.ini."""
    url = context.get_x_argument(as_dictionary=True).get("url") or context.config.get_main_option("sqlalchemy.url")
    if not url:
        raise SystemExit("which database? alembic -x url=sqlite:////path/crmctl.db …")
    return url


def main() -> None:
    """Run online in the connection given, online at the URL given, or print SQL (`--sql`)."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        run(connection)
        return
    if context.config.config_file_name is not None:
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    if context.is_offline_mode():
        context.configure(url=given_url(), target_metadata=load_all(), literal_binds=True, transactional_ddl=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    try:
        with migrate.locked(open_engine(given_url())) as connection:
            run(connection)
    except CrmctlError as error:
        raise SystemExit(f"{error.message}: {error.hint}") from None


main()
