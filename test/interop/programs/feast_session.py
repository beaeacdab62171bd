"""The real Feast, asked one question after another: JSON Lines in, JSON Lines out.

Usage: feast_session.py
  Each line of standard input is {"ask": NAME, ..}, a function of `QUESTIONS` and its arguments; each line of standard output is
  {"answer": ..} or, where Feast raises, {"error": CLASS, "message": TEXT}. What Feast itself prints goes to standard error.
"""
import ast
import datetime
import decimal
import json
import os
import re
import sys
import uuid
import warnings

warnings.filterwarnings("ignore")
os.environ["FEAST_USAGE"] = "False"
output, sys.stdout = sys.stdout, sys.stderr

import pandas as pd  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from feast import (  # noqa: E402
    Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig)
from feast.infra.data_sources.contrib.iceberg_catalog import IcebergSource  # noqa: E402
from feast.infra.offline_stores.dask import DaskOfflineStoreConfig  # noqa: E402
from feast.infra.offline_stores.duckdb import DuckDBOfflineStoreConfig  # noqa: E402
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage  # noqa: E402
from feast.infra.online_stores.sqlite import SqliteOnlineStoreConfig  # noqa: E402
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus  # noqa: E402
from feast.types import (  # noqa: E402
    Array, Bool, Bytes, Decimal, Float32, Float64, Int32, Int64, Map, ScalarMap, String, Struct, UnixTimestamp, Uuid)

STORES = {"duckdb": DuckDBOfflineStoreConfig, "dask": DaskOfflineStoreConfig}
TYPES = {
    "boolean": Bool, "int": Int32, "long": Int64, "float": Float32, "double": Float64, "binary": Bytes,
    "timestamp": UnixTimestamp, "timestamptz": UnixTimestamp, "date": UnixTimestamp, "uuid": Uuid,
}
store = None


def define(folder, offlineStore, views, services):
    """A repository with these views and services, applied; keys and features have Iceberg's types, `path` is a Parquet file."""
    global store
    config = RepoConfig(
        project="side", provider="local", registry=f"{folder}/registry.db", repo_path=folder,
        offline_store=STORES[offlineStore](), online_store=SqliteOnlineStoreConfig(path=f"{folder}/online.db"),
        entity_key_serialization_version=3)
    store = FeatureStore(config=config)
    entities = {key: Entity(name=key, join_keys=[key]) for view in views for key in view["keys"]}
    made = {view["name"]: feature_view(entities, view) for view in views}
    chosen = [FeatureService(name=s["name"], features=[projection(made, p) for p in s["features"]]) for s in services]
    store.apply([*entities.values(), *made.values(), *chosen])


def feature_view(entities, view):
    source = FileSource(
        name=f"source_{view['name']}", path=view["path"], timestamp_field=view["timestampField"],
        created_timestamp_column=view["createdTimestampField"] or "", field_mapping=view["fieldMapping"])
    if view.get("pushSource"):
        source = PushSource(name=view["pushSource"], batch_source=source)
    ttl = None if view["ttlMs"] is None else datetime.timedelta(milliseconds=view["ttlMs"])
    schema = [Field(name=name, dtype=feast_type(kind)) for name, kind in {**view["keys"], **view["features"]}.items()]
    return FeatureView(
        name=view["name"], entities=[entities[key] for key in view["keys"]], ttl=ttl, schema=schema, source=source)


def feast_type(kind):
    """Of an Iceberg type. Retrieval reads the types of the file: one that Feast has no name for is declared as a text."""
    if kind.startswith("list<"):
        return Array(feast_type(kind[5:-1]))
    if kind.startswith("struct<"):
        fields = (field.split(": ", 1) for field in re.split(r", (?=\w+: )(?![^<]*>)", kind[7:-1]))
        return Struct({name: feast_type(of) for name, of in fields})
    if kind.startswith("map<"):
        return Map if kind.startswith("map<string,") else ScalarMap
    if kind.startswith("decimal("):
        return Decimal
    return TYPES.get(kind, String)


def define_iceberg(folder, uri, warehouse, namespace, table, key, timestampField):
    """A view `v` of all columns of an Iceberg table in a SQL catalog called main. Gives the types that Feast finds for its features."""
    global store
    config = RepoConfig(
        project="side", provider="local", registry=f"{folder}/registry.db", repo_path=folder,
        offline_store=DuckDBOfflineStoreConfig(), online_store=None, entity_key_serialization_version=3)
    store = FeatureStore(config=config)
    source = IcebergSource(
        catalog_type="sql", catalog_name="main", catalog_properties={"uri": uri}, warehouse=warehouse,
        namespace=namespace, table=table, timestamp_field=timestampField)
    entity = Entity(name=key, join_keys=[key])
    store.apply([entity, FeatureView(name="v", entities=[entity], source=source)])
    return {field.name: str(field.dtype) for field in store.get_feature_view("v").features}


def projection(views, part):
    chosen = views[part["view"]][part["features"]].with_name(part["alias"])
    return chosen.with_join_key_map(part["joinKeyMap"]) if part["joinKeyMap"] else chosen


def historical(entities, times, **request):
    """Rows of point-in-time retrieval; entity rows are SQL, or columns of which `times` are timestamps."""
    return rows(retrieve(entities, times, **request).to_arrow())


def retrieve(entities, times, features=(), service=None, fullFeatureNames=False, knownAsOf=False, window=None):
    dates = {} if window is None else {f"{end}_date": moment(text) for end, text in window.items()}
    return store.get_historical_features(
        entity_df=frame(entities, times) if isinstance(entities, dict) else entities,
        features=list(features) if service is None else store.get_feature_service(service),
        full_feature_names=fullFeatureNames, filter_by_created_timestamp=knownAsOf, **dates)


def frame(entities, times):
    return pd.DataFrame({
        name: pd.to_datetime(pd.Series(column, dtype="object"), format="ISO8601") if name in times else column
        for name, column in entities.items()
    })


def save(path, entities, times, **request):
    """The rows of a saved dataset, as it tells them and as its file has them, and what saving to that place again raises."""
    job = retrieve(entities, times, **request)
    destination = SavedDatasetFileStorage(path=path)
    saved = store.create_saved_dataset(from_=job, name="saved", storage=destination)
    again = attempt(lambda: store.create_saved_dataset(from_=job, name="again", storage=destination))
    return {"rows": rows(saved.to_arrow()), "stored": rows(pq.read_table(path)), "again": again.get("error")}


def materialize(view, end, start=None):
    """A window, or incrementally where there is no start."""
    if start is None:
        store.materialize_incremental(moment(end), [view])
    else:
        store.materialize(moment(start), moment(end), [view])


def online(features, entities):
    """For each entity, for each feature [status, value]."""
    response = store.get_online_features(features=features, entity_rows=entities)
    values = response.to_dict()
    results = dict(zip(response.proto.metadata.feature_names.val, response.proto.results))
    served = [feature.split(":")[1] for feature in features]
    return [
        [[FieldStatus.Name(results[name].statuses[i]), plain(values[name][i])] for name in served]
        for i in range(len(entities))
    ]


def client_of(url, cert=""):
    """Feast's client of a feature server, with the definitions of the repository. `cert` names a file of trusted certificates."""
    config = RepoConfig(
        project="side", provider="local", registry=store.config.registry, repo_path=str(store.repo_path),
        online_store={"type": "remote", "path": url, "cert": cert}, entity_key_serialization_version=3)
    return FeatureStore(config=config)


def write(columns, url=None, view=None, pushSource=None, cert=""):
    """Writes rows, or pushes them, to a feature server, else to the repository's own store; values are literals of Python, those of columns whose name ends in `_ts` or is `created` ISO times."""
    literals = {name: [ast.literal_eval(value) for value in column] for name, column in columns.items()}
    times = [name for name in columns if name.endswith("_ts") or name == "created"]
    client = store if url is None else client_of(url, cert)
    if pushSource is None:
        client.write_to_online_store(view, df=frame(literals, times))
    else:
        client.push(pushSource, frame(literals, times))


def shown(value):
    return repr(ordered(value))


def ordered(value):
    """The fields of a struct come in the order of a hash."""
    if isinstance(value, list):
        return [ordered(item) for item in value]
    return {name: ordered(item) for name, item in sorted(value.items())} if isinstance(value, dict) else value


def remote(url, entities, features=(), service=None, fullFeatureNames=False, withVersions=False, cert=""):
    """What Feast's client makes of a feature server's answer: for each name of the answer [type, value, status] for each entity."""
    client = client_of(url, cert)
    entities = [{key: int(value) if str(value).isdigit() else value for key, value in row.items()} for row in entities]
    response = client.get_online_features(
        features=list(features) if service is None else client.get_feature_service(service), entity_rows=entities,
        full_feature_names=fullFeatureNames, include_feature_view_version_metadata=withVersions)
    values = response.to_dict()
    results = zip(response.proto.metadata.feature_names.val, response.proto.results)
    return {
        "names": list(response.proto.metadata.feature_names.val),
        "views": [view.name for view in response.proto.metadata.feature_view_metadata],
        "columns": {
            name: [[type(value).__name__, shown(value), FieldStatus.Name(status)]
                   for value, status in zip(values[name], result.statuses)]
            for name, result in results
        },
    }


def remote_materialize(url, end, start=None, views=None, cert="", **options):
    """Feast's client asks a feature server for a run of a window, or an incremental one where there is no start; without `views` of all of them."""
    client = client_of(url, cert)
    if start is None:
        client.materialize_incremental(moment(end), views, **options)
    else:
        client.materialize(moment(start), moment(end), views, **options)


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def rows(table):
    return [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()]


def plain(value):
    """A value as Moraine's JSON has it."""
    if isinstance(value, datetime.datetime):
        unit = "nanoseconds" if getattr(value, "nanosecond", 0) else "microseconds"
        if value.tzinfo is None:
            return value.isoformat(timespec=unit)
        return value.astimezone(datetime.timezone.utc).isoformat(timespec=unit).replace("+00:00", "Z")
    if isinstance(value, datetime.time):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float) and value != value:
        return "NaN"
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {name: plain(item) for name, item in value.items()} if isinstance(value, dict) else value


def attempt(question):
    try:
        return {"answer": question()}
    except Exception as error:  # noqa: BLE001 what Feast raises is an answer
        return {"error": type(error).__name__, "message": str(error)}


QUESTIONS = {
    "define": define, "define_iceberg": define_iceberg, "historical": historical, "save": save,
    "materialize": materialize, "online": online, "remote": remote,
    "remote_materialize": remote_materialize, "write": write,
}
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(attempt(lambda: QUESTIONS[asked.pop("ask")](**asked))), file=output, flush=True)
