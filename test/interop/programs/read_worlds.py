"""The rows of tables as another engine reads them.

Usage: read_worlds.py pyiceberg|duckdb METADATA_FILE...
  Prints a list with an object for each table: {"rows"}, sorted, or {"error"}. A row is the list of its values in the
  schema's order, as arrow_values.py has them.
"""
import json
import sys

from arrow_values import values


def rows(table):
    columns = [values(table.column(i).combine_chunks()) for i in range(table.num_columns)]
    return sorted(([column[i] for column in columns] for i in range(table.num_rows)), key=json.dumps)


def pyiceberg():
    from pyiceberg.table import StaticTable

    return lambda path: StaticTable.from_metadata(path).scan().to_arrow()


def duckdb():
    import importlib.resources

    import duckdb

    def read(path):
        # One that has failed badly answers no more.
        connection = duckdb.connect()
        for name in ("httpfs", "avro", "iceberg"):
            package = importlib.resources.files(f"duckdb_extension_{name}")
            connection.load_extension(str(package / f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"))
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(f"FROM iceberg_scan('{path}')").arrow().read_all()

    return read


def attempt(read, path):
    try:
        return {"rows": rows(read(path))}
    except Exception as error:  # noqa: BLE001 - what an engine refuses is part of the answer
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    reader = {"pyiceberg": pyiceberg, "duckdb": duckdb}[sys.argv[1]]()
    print(json.dumps([attempt(reader, path) for path in sys.argv[2:]]))
