"""Opens a catalog of PyIceberg from its properties, and its name (`lake` unless given). PyIceberg 0.12
asks a Hive metastore for tables by calls that 4.0 does not have."""
from pyiceberg.catalog import load_catalog


def open_catalog(properties):
    if properties["type"] == "hive":
        ask_by_request()
    return load_catalog(**{"name": "lake", **properties})


def ask_by_request():
    from hive_metastore.ThriftHiveMetastore import Client
    from hive_metastore.ttypes import GetTableRequest

    def get_table(self, dbname, tbl_name):
        return self.get_table_req(GetTableRequest(dbName=dbname, tblName=tbl_name)).table

    Client.get_table = get_table
