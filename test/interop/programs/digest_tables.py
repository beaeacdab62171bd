"""Digests of tables' rows as docs/offline-store.md defines them, by PyIceberg: argv is the properties of the catalog and of its storage, as
JSON, and the names of the tables."""
import hashlib
import json
import sys

from catalogs import open_catalog

# Numbers of these tables are written by DuckDB as by Python: none is so small or large that it has an exponent.
TEXTS = {
    "int": str,
    "long": str,
    "double": repr,
    "boolean": lambda value: str(value).lower(),
    "string": lambda value: json.dumps(value, ensure_ascii=False),
    "timestamp": lambda value: f'"{value.isoformat(timespec="microseconds")}"',
    "timestamptz": lambda value: f'"{value.replace(tzinfo=None).isoformat(timespec="microseconds")}Z"',
}


def lines(batch, columns):
    texts = []
    for name, kind in columns:
        prefix, text = f"{json.dumps(name)}:", str if kind.startswith("decimal") else TEXTS[kind]
        values = batch.column(name).to_pylist()
        texts.append([prefix + ("null" if value is None else text(value)) for value in values])
    for row in zip(*texts):
        yield "{" + ",".join(row) + "}"


def digest(table):
    columns = [[field.name, str(field.field_type)] for field in table.schema().fields]
    rows, total = 0, 0
    for batch in table.scan().to_arrow_batch_reader():
        for line in lines(batch, columns):
            rows += 1
            total += int.from_bytes(hashlib.sha256(line.encode()).digest(), "big")
    head = json.dumps(columns, separators=(",", ":"))
    text = f"moraine-rows-1\n{head}\n{rows}\n{total % 2**256:064x}\n"
    return {"rows": str(rows), "digest": hashlib.sha256(text.encode()).hexdigest()}


catalog = open_catalog(json.loads(sys.argv[1]))
print(json.dumps([{"table": name, **digest(catalog.load_table(name))} for name in sys.argv[2:]]))
