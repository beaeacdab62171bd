"""Opens a Feast repository as it is, and prints what is in it, and features of entities."""

import json
import sys

from feast import FeatureStore

folder, question = sys.argv[1], json.loads(sys.argv[2])
store = FeatureStore(folder)


def source_of(view):
    source = view.batch_source
    return {
        "class": type(source).__name__,
        "name": source.name,
        "table": f"{getattr(source, 'namespace', '')}.{getattr(source, 'iceberg_table', '')}",
        "catalog": [getattr(source, "catalog_type", ""), getattr(source, "catalog_name", "")],
        "timestamp": source.timestamp_field,
        "created": source.created_timestamp_column,
        "mapping": dict(source.field_mapping),
    }


def push_of(view):
    push = view.stream_source
    return None if push is None else [type(push).__name__, push.name, push.batch_source == view.batch_source]


def shown(value):
    """The value as Python writes it. The members of a map have no order."""
    if isinstance(value, dict):
        return repr(dict(sorted(value.items())))
    return repr(value)


def columns_of(view):
    if getattr(view.batch_source, "catalog_type", "") == "":
        return None
    return dict(view.batch_source.get_table_column_names_and_types(store.config))


views = {
    view.name: {
        "entities": view.entities,
        "keys": {column.name: str(column.dtype) for column in view.entity_columns},
        "features": {field.name: str(field.dtype) for field in view.features},
        "ttl": view.ttl.total_seconds(),
        "online": view.online,
        "description": view.description,
        "tags": dict(view.tags),
        "source": source_of(view),
        "push": push_of(view),
    }
    for view in store.list_feature_views()
}
answer = {
    "project": store.project,
    "projects": [project.name for project in store.list_projects()],
    "entities": {entity.name: entity.join_key for entity in store.list_entities()},
    "views": views,
    "pushSources": [source.name for source in store.list_data_sources() if type(source).__name__ == "PushSource"],
    "services": {
        service.name: [
            [projection.name_to_use(), [feature.name for feature in projection.features], dict(projection.join_key_map)]
            for projection in service.feature_view_projections
        ]
        for service in store.list_feature_services()
    },
    # As Feast or PyIceberg reads them from the table.
    "columns": {view.name: columns_of(view) for view in store.list_feature_views()},
}
if question is not None:
    features = question.get("features") or store.get_feature_service(question["service"])
    online = store.get_online_features(features=features, entity_rows=question["rows"]).to_dict()
    answer["online"] = {name: [shown(value) for value in values] for name, values in online.items()}
print(json.dumps(answer, default=str))
