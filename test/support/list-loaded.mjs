/** Preloaded by `--import`: writes every package and room that a process loaded to standard error when it ends. */
import Module, { register } from 'node:module';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';

const hooks = `
  let port;
  export const initialize = (data) => { port = data.port; };
  export const load = (url, context, next) => { port.postMessage(url); return next(url, context); };
`;
const { port1, port2 } = new MessageChannel();
register(`data:text/javascript,${encodeURIComponent(hooks)}`, { data: { port: port2 }, transferList: [port2] });

process.on('exit', () => {
  // CommonJS packages that are required are in its cache only.
  const loaded = Object.keys(Module._cache);
  for (let sent = receiveMessageOnPort(port1); sent !== undefined; sent = receiveMessageOnPort(port1))
    loaded.push(sent.message);
  process.stderr.write(`${JSON.stringify(loaded)}\n`);
});
