import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openProject } from '../../../project/index.js';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-project-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a project', () => {
  it('opens with a configuration file and creates nothing until it is asked', async () => {
    writeFileSync(join(folder, 'moraine.yaml'), 'catalogs: { a: {}, b: { warehouse: w2 } }\n');
    const project = await openProject({ cwd: folder });
    expect(project.config.defaultCatalog).toBe('a');
    await project.close();
    expect(readdirSync(folder)).toEqual(['moraine.yaml']);
  });

  it('opens each catalog once, and names the ones there are', async () => {
    const project = await openProject({ config: { catalogs: { prod: {}, test: {} } }, cwd: folder });
    try {
      expect(await project.catalog()).toBe(await project.catalog('prod'));
      expect((await project.catalog('test')).name).toBe('test');
      await expect(project.catalog('prdo')).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: 'there is no catalog "prdo"; did you mean prod?',
      });
      await expect(project.catalog('__proto__')).rejects.toMatchObject({
        message: 'there is no catalog "__proto__"; the catalogs are prod, test',
      });
    } finally {
      await project.close();
    }
  });

  it('resolves table names', async () => {
    const project = await openProject({ config: { catalogs: { prod: {}, test: {} } }, cwd: folder });
    try {
      const plain = await project.resolveTable('shop.orders');
      expect(plain.identifier).toEqual({ namespace: ['shop'], name: 'orders' });
      expect(plain.catalog.name).toBe('prod');
      const other = await project.resolveTable('test/shop."a.b"');
      expect(other.identifier).toEqual({ namespace: ['shop'], name: 'a.b' });
      expect(other.catalog.name).toBe('test');
      await expect(project.resolveTable('orders')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await expect(project.resolveTable('nope/shop.orders')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    } finally {
      await project.close();
    }
  });

  it('has one engine, whose temporary files are gone after close', async () => {
    const project = await openProject({ config: { engine: { threads: 1, memoryLimit: '200MB' } }, cwd: folder });
    const engine = await project.engine();
    expect(await project.engine()).toBe(engine);
    const answer = await engine.withConnection((connection) => connection.rows('SELECT 6 * 7'));
    expect(answer).toEqual([[42]]);
    await project.close();
    await project.close();
    const left = join(folder, '.moraine/tmp');
    expect(existsSync(left) ? readdirSync(left) : []).toEqual([]);
  });

  it('opens registry and engine once what kept them from it has gone', async () => {
    for (const place of ['state', 'tmp']) writeFileSync(join(folder, place), '');
    const config = {
      catalogs: { prod: { uri: 'state/catalog.db' } },
      engine: { threads: 1, memoryLimit: '200MB', tempDirectory: 'tmp' },
    };
    const project = await openProject({ config, cwd: folder });
    try {
      await expect(project.knownIdentity()).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
      await expect(project.engine()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      for (const place of ['state', 'tmp']) rmSync(join(folder, place));
      expect(await project.knownIdentity()).toBeNull();
      expect(await project.registry()).toBe(await project.registry());
      const answer = await (await project.engine()).withConnection((connection) => connection.rows('SELECT 6 * 7'));
      expect(answer).toEqual([[42]]);
    } finally {
      await project.close();
    }
  });

  it('refuses files outside its roots', async () => {
    const project = await openProject({ config: { storage: { roots: ['in'] } }, cwd: folder });
    await project.io.create(join(folder, 'in/x'), new Uint8Array([1]));
    await expect(project.io.create(join(folder, 'out'), new Uint8Array([1]))).rejects.toMatchObject({
      code: 'LOCATION_REFUSED',
    });
    await project.close();
  });
});
