"""Historical features of worlds by the real Feast, its DuckDB offline store over plain Parquet files.

Usage: feast_worlds.py WORLDS_JSON
  The file holds a list of {"folder", "entities", "views", "requests"}: a Parquet file of entity rows with a column `row`;
  views with the Parquet file of their rows; what to ask of them. Prints a list with, for each world, the rows in the order of
  `row`: {"view__feature": value}, values as `read_worlds.py` prints them.
"""
import datetime
import json
import sys
import warnings

warnings.filterwarnings("ignore")

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType  # noqa: E402
from feast.infra.offline_stores.duckdb import DuckDBOfflineStoreConfig  # noqa: E402
from feast.types import String  # noqa: E402

from arrow_values import values  # noqa: E402


def views_of(world):
    names = sorted({key for view in world["views"] for key in view["keys"]})
    entities = {name: Entity(name=f"entity_{name}", join_keys=[name], value_type=ValueType.STRING) for name in names}
    views = {}
    for view in world["views"]:
        source = FileSource(
            name=f"source_{view['name']}", path=view["path"], timestamp_field=view["timestamp"],
            created_timestamp_column=view["created"] or "", field_mapping=view["mapping"])
        # Retrieval reads the files' own types: these are only so that nothing is inferred.
        schema = [Field(name=name, dtype=String) for name in view["keys"] + view["features"]]
        ttl = None if view["ttlMs"] is None else datetime.timedelta(milliseconds=view["ttlMs"])
        views[view["name"]] = FeatureView(
            name=view["name"], entities=[entities[key] for key in view["keys"]], ttl=ttl, schema=schema, source=source)
    return entities, views


def answer(world):
    entities, views = views_of(world)
    config = RepoConfig(
        project="worlds", provider="local", registry=f"{world['folder']}/registry.db", repo_path=world["folder"],
        offline_store=DuckDBOfflineStoreConfig(), online_store=None, entity_key_serialization_version=3)
    store = FeatureStore(config=config)
    chosen = []
    for request in world["requests"]:
        projection = views[request["view"]][request["features"]].with_name(request["alias"])
        chosen.append(projection.with_join_key_map(request["joinKeyMap"]) if request["joinKeyMap"] else projection)
    service = FeatureService(name="all", features=chosen)
    store.apply([*entities.values(), *views.values(), service])
    frame = pq.read_table(world["entities"]).to_pandas()
    job = store.get_historical_features(entity_df=frame, features=service, full_feature_names=True)
    table = job.to_arrow().sort_by("row")
    names = [f"{r['alias']}__{f}" for r in world["requests"] for f in r["features"]]
    columns = {name: values(table[name].combine_chunks()) for name in ["row", *names]}
    return [{name: column[i] for name, column in columns.items()} for i in range(table.num_rows)]


with open(sys.argv[1]) as file:
    print(json.dumps([answer(world) for world in json.load(file)]))
