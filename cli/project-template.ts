/** The files that `moraine init` writes. Everything in them is made up and needs no edit to work. */

const HEAD = `# The configuration of this project. Paths are relative to this file; \${NAME} and \${NAME:-default} are
# replaced by environment variables. An unknown key is an error.
`;

const LOCAL = `catalog: local                # the catalog of table names that name none
catalogs:
  local:
    type: sql                 # a SQLite file, which PyIceberg and Java's JdbcCatalog open as well; for Spark set
                              # spark.sql.catalog.NAME.jdbc.init-catalog-tables=false, else it blocks every write
    uri: .moraine/catalog.db
    warehouse: warehouse      # new tables go below this folder

# storage:
#   roots: [warehouse]        # the only folders that tables may have files in; the warehouses unless given
`;

const SETTINGS = `engine:
  memoryLimit: \${MORAINE_MEMORY_LIMIT:-2GB}
#   threads: 2                # as many as the machine has unless given

# Without an address, and with no TEMPORAL_ADDRESS in the environment, commands run a Temporal server of their own.
# temporal:
#   address: localhost:7233
#   namespace: default
#   taskQueue: moraine        # another one for each project on the server

online:
  namespace: moraine_online   # online tables are NAMESPACE.VIEW
  buckets: 4                  # files of a new online table; more for more entities

definitions: [features.yaml]  # what \`moraine apply\` reads
`;

const DEFINITIONS = `# Entities, feature views and feature services. \`moraine apply\` registers them.

entities:
  - { name: customer, joinKeys: [customer_id], description: A customer of the shop. }

featureViews:
  - name: customer_activity
    description: What a customer did in the week before.
    entities: [customer]
    source: { table: shop.customer_orders, timestampField: event_ts, createdTimestampField: created }
    ttl: 7d                   # an older value is not served
    online: true
    # features: [{ name: orders, type: long }, ..]   without it every other column of the table is a feature

featureServices:
  - { name: churn_model, features: [customer_activity] }
`;

const IGNORED = `.moraine/
warehouse/
node_modules/
`;

/** Orders of eight customers on the first thirty days of 2026, by a formula: small, and the same everywhere. */
function customerOrders(): string {
  const lines = ['customer_id,event_ts,created,orders,mean_basket,returned'];
  for (let day = 1; day <= 30; day += 1) {
    for (let customer = 1; customer <= 8; customer += 1) {
      if ((day + customer) % 3 === 0) continue;
      const date = `2026-01-${String(day).padStart(2, '0')}`;
      const orders = 1 + ((day * 7 + customer * 5) % 9);
      const basket = orders === 5 ? '' : ((1500 + ((day * 37 + customer * 211) % 6000)) / 100).toFixed(2);
      lines.push(`${customer},${date}T00:00:00Z,${date}T02:30:00Z,${orders},${basket},${(day + customer) % 4 === 0}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

const ENTITIES = `customer_id,event_timestamp,churned
1,2026-01-10T12:00:00Z,false
3,2026-01-10T12:00:00Z,true
3,2026-01-31T00:00:00Z,false
8,2025-12-31T00:00:00Z,false
99,2026-01-15T00:00:00Z,true
`;

/**
 * Each file's path in the project, and its content.
 * @param catalog the catalog and the storage of `moraine.yaml`; files of the project itself unless given
 */
export function projectTemplate(catalog: string = LOCAL): ReadonlyMap<string, string> {
  return new Map([
    ['moraine.yaml', [HEAD, catalog, SETTINGS].join('\n')],
    ['features.yaml', DEFINITIONS],
    ['data/customer_orders.csv', customerOrders()],
    ['data/entities.csv', ENTITIES],
    ['.gitignore', IGNORED],
  ]);
}
