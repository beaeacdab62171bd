/**
 * The tables of the SQL catalog, as Java's JdbcCatalog (schema version V1) and PyIceberg create them.
 * Files of V0, without `iceberg_type`, are used as they are.
 */
import { type SqlDriver, SqlError } from './sql-driver.js';

const CREATE_TABLES = `CREATE TABLE IF NOT EXISTS iceberg_tables (
  catalog_name VARCHAR(255) NOT NULL,
  table_namespace VARCHAR(255) NOT NULL,
  table_name VARCHAR(255) NOT NULL,
  metadata_location VARCHAR(1000),
  previous_metadata_location VARCHAR(1000),
  iceberg_type VARCHAR(5),
  PRIMARY KEY (catalog_name, table_namespace, table_name)
)`;

const CREATE_NAMESPACE_PROPERTIES = `CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
  catalog_name VARCHAR(255) NOT NULL,
  namespace VARCHAR(255) NOT NULL,
  property_key VARCHAR(255) NOT NULL,
  property_value VARCHAR(1000) NOT NULL,
  PRIMARY KEY (catalog_name, namespace, property_key)
)`;

async function nameExists(driver: SqlDriver, probe: string): Promise<boolean> {
  try {
    await driver.query(probe);
    return true;
  } catch (error) {
    if (error instanceof SqlError && error.failure === 'undefined-name') return false;
    throw error;
  }
}

/** PostgreSQL may refuse a table as a duplicate that another process creates at the same time, in spite of `IF NOT EXISTS`. */
async function create(driver: SqlDriver, sql: string): Promise<void> {
  await driver.execute(sql).catch((error: unknown) => {
    if (!(error instanceof SqlError) || error.failure !== 'unique-violation') throw error;
  });
}

/** Creates what is missing and tells which version of the schema the database has. */
export async function prepareSqlSchema(driver: SqlDriver): Promise<'V0' | 'V1'> {
  if (!(await nameExists(driver, 'SELECT catalog_name FROM iceberg_tables LIMIT 0'))) {
    await create(driver, CREATE_TABLES);
  }
  if (!(await nameExists(driver, 'SELECT namespace FROM iceberg_namespace_properties LIMIT 0'))) {
    await create(driver, CREATE_NAMESPACE_PROPERTIES);
  }
  return (await nameExists(driver, 'SELECT iceberg_type FROM iceberg_tables LIMIT 0')) ? 'V1' : 'V0';
}
