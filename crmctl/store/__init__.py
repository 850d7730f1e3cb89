"""The database: metadata, engines, bulk load per database, counters, migrations. Knows no subject.

May import errors, i18n, clock, files, locate. Import its files directly (`from crmctl.store import engine`); this
package imports nothing itself, so that commands which need no database stay light.
"""
