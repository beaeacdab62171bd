"""Sets a property of a table by PyIceberg: argv is the properties of the catalog as JSON, the table, the property and its value."""
import json
import sys

from catalogs import open_catalog

properties, name, key, value = sys.argv[1:]
table = open_catalog(json.loads(properties)).load_table(name)
before = table.properties.get(key)
with table.transaction() as transaction:
    transaction.set_properties({key: value})
print(json.dumps({"before": before, "columns": [field.name for field in table.schema().fields]}))
