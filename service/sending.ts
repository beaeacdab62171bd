/** The time that a client may leave an answer unread. */
import type { FastifyInstance } from 'fastify';

/**
 * Closes connections whose clients have taken nothing of an answer for this long; what makes the answer ends with them. Every part that is taken, however small,
 * starts the time again. The part that was under way when the client stopped counts as taken once, so that it may be twice as long.
 * @param ms milliseconds
 */
export function limitSending(app: FastifyInstance, ms: number): void {
  app.addHook('onSend', ({ log, method, routeOptions }, { raw }, payload, done) => {
    raw.setTimeout(ms, () => {
      // An answer that is still being made is not late through its client. Its next part starts the time again.
      if (raw.writableLength === 0) return;
      log.info({ method, path: routeOptions.url }, 'the client does not take the answer (server.sendTimeoutMs)');
      raw.destroy();
    });
    done(null, payload);
  });
}
