// One writer of the commit races: appends `count` batches to table ns.t of the catalog in `folder`, as a process of its own.
// Usage: node append-writer.mjs DIST FOLDER WRITER COUNT. Prints the file path and snapshot id of every acknowledged batch.
const [dist, folder, writer, count] = process.argv.slice(2);
const { commitAppend, LocalFileIO, loadTable, openSqlCatalog } = await import(`${dist}/test/support/internals.js`);

const io = new LocalFileIO({ roots: [folder] });
const uri = `${folder}/catalog.db`;
const catalog = await openSqlCatalog({ name: 'test', uri, warehouse: `${folder}/warehouse`, io });
const table = await loadTable(catalog, io, { namespace: ['ns'], name: 't' });
const acknowledged = [];
for (let batch = 0; batch < Number(count); batch++) {
  const filePath = `/data/${writer}-${batch}.parquet`;
  const file = {
    content: 'data',
    filePath,
    fileFormat: 'PARQUET',
    specId: 0,
    partition: ['x'],
    recordCount: 10n,
    fileSizeInBytes: 1000n,
  };
  const { snapshotId } = await commitAppend(table, { files: [file], run: { key: `${writer}-${batch}` } });
  acknowledged.push({ filePath, snapshotId: snapshotId.toString() });
}
process.stdout.write(JSON.stringify(acknowledged));
