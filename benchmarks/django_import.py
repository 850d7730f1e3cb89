"""Import a customer file with django-import-export, upserting by mobile: `django_import.py FILE.csv NEW.db`.

Run by the import benchmark in a process of its own, where django-import-export is installed. Differences are not
computed (`skip_diff`), the faster of its ways; everything else is its default.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import connection, models

OTHERS = ("name", "company", "customer_type", "email", "address", "region", "industry", "source", "annual_amount")
COLUMNS = (*OTHERS, "last_contact_at", "birthday", "notes")  # and the mobile, which is the key


def main(source: str, database: str) -> int:
    """Create the table, import the file, say how many rows went in."""
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
        INSTALLED_APPS=["import_export"],
        USE_TZ=True,
    )
    django.setup()
    from import_export import resources
    from tablib import Dataset

    meta = type("Meta", (), {"app_label": "bench", "db_table": "customer"})
    fields: dict[str, Any] = {name: models.CharField(max_length=400, blank=True) for name in COLUMNS}
    fields["mobile"] = models.CharField(max_length=40, unique=True)
    customer = type("Customer", (models.Model,), {"__module__": __name__, "Meta": meta, **fields})
    with connection.schema_editor() as editor:
        editor.create_model(customer)
    options = type("Meta", (), {"model": customer, "import_id_fields": ("mobile",), "skip_diff": True})
    resource = type("CustomerResource", (resources.ModelResource,), {"Meta": options})()
    data = Dataset().load(Path(source).read_text(encoding="utf-8"), format="csv")
    result = resource.import_data(data, dry_run=False, raise_errors=True)
    print(dict(result.totals))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
