// Loaded into a worker with `node --import`: counts its accesses to files below a folder, to the catalog and to the query engine's
// files, or its requests to a store and a catalog, and kills the process with SIGKILL just before one of them.
//
//   MORAINE_ACCESS_ROOT     the folder; without it requests are counted
//   MORAINE_KILL_AT         the number of the access; the first is 1
//   MORAINE_ACCESS_BEGIN    a file; accesses before it exists do not count: those of the worker's start
//   MORAINE_ACCESS_FROM     `NUMBER PATTERN`: the first access that counts is the link (the creation) of so many-th file with a name like that,
//                           or so many-th request to a catalog like that (`METHOD ADDRESS`)
//   MORAINE_FAULT_MARKER    a file that is created when the process dies; if it exists, the process lives
//   MORAINE_FAULT_SIGNAL    another signal than SIGKILL: SIGSTOP stops the process there
//   MORAINE_ACCESS_COUNT    a file that gets the number of accesses when the process ends

import fs from 'node:fs';
import http from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { DuckDBConnection } from '@duckdb/node-api';
import Database from 'libsql';

const {
  MORAINE_ACCESS_ROOT: root,
  MORAINE_KILL_AT: killAt,
  MORAINE_ACCESS_BEGIN: begin,
  MORAINE_ACCESS_FROM: from,
  MORAINE_FAULT_MARKER: marker,
  MORAINE_FAULT_SIGNAL: signal = 'SIGKILL',
  MORAINE_ACCESS_COUNT: countFile,
} = process.env;
let accesses = 0;
let hasBegun = begin === undefined && from === undefined;
const [, number, pattern] = /^(\d+) (.+)$/.exec(from ?? '') ?? [];
let left = Number(number ?? 0);

function reach() {
  if (begin !== undefined) hasBegun ||= fs.existsSync(begin);
  if (!hasBegun) return;
  accesses += 1;
  if (accesses !== Number(killAt) || (marker !== undefined && fs.existsSync(marker))) return;
  if (marker !== undefined) fs.closeSync(fs.openSync(marker, 'wx'));
  process.kill(process.pid, signal);
}

/** Called before an access that may be the first that counts. */
function meet(name) {
  if (left === 0 || !new RegExp(pattern).test(name)) return;
  left -= 1;
  hasBegun ||= left === 0;
}

/** Accesses of a project whose files and catalog are on this machine. */
function countFiles() {
  for (const name of ['open', 'stat', 'lstat', 'link', 'unlink', 'readdir', 'mkdir', 'rename']) {
    const real = fs.promises[name];
    fs.promises[name] = (path, ...rest) => {
      if (name === 'link') meet(String(rest[0]));
      if (String(path).startsWith(root)) reach();
      return real(path, ...rest);
    };
  }
  syncBuiltinESMExports();

  const prepare = Database.prototype.prepare;
  Database.prototype.prepare = function (...args) {
    reach();
    return prepare.apply(this, args);
  };
}

/** Requests to a store, and to a catalog, which is asked by `fetch`. */
function countRequests() {
  const { request } = http;
  http.request = (...args) => {
    reach();
    return request(...args);
  };
  syncBuiltinESMExports();
  const { fetch } = globalThis;
  globalThis.fetch = (address, init) => {
    meet(`${init?.method ?? 'GET'} ${address}`);
    reach();
    return fetch(address, init);
  };
}

if (isMainThread && marker !== undefined) {
  if (root === undefined) countRequests();
  else countFiles();

  for (const name of ['run', 'runAndReadAll']) {
    const real = DuckDBConnection.prototype[name];
    DuckDBConnection.prototype[name] = function (sql, ...rest) {
      if (/^\s*COPY\b/i.test(sql)) reach();
      return real.call(this, sql, ...rest);
    };
  }

  if (countFile !== undefined) process.on('exit', () => fs.writeFileSync(countFile, String(accesses)));
}
