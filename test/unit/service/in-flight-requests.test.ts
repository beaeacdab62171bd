import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type InFlight, InFlightRequests } from '../../../service/in-flight-requests.js';

// Neither the request nor the reply is looked at.
const entry = (): InFlight => ({ place: 0 }) as InFlight;

describe('the requests in flight', () => {
  it.each([0, 1, 2])('are the others after number %i of three is answered', (answered) => {
    const requests = new InFlightRequests();
    const entries = [entry(), entry(), entry()];
    for (const one of entries) requests.add(one);
    requests.delete(entries[answered] as InFlight);
    expect(requests.size).toBe(2);
    expect(new Set(requests)).toEqual(new Set(entries.filter((_, place) => place !== answered)));
  });

  it('may be answered while they are walked through', () => {
    const requests = new InFlightRequests();
    const entries = Array.from({ length: 5 }, entry);
    for (const one of entries) requests.add(one);
    const seen: InFlight[] = [];
    for (const one of requests) {
      seen.push(one);
      requests.delete(one);
    }
    expect(seen).toEqual(entries);
    expect([...requests]).toEqual([]);
  });

  it('are those of a Set after any additions and answers', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), (steps) => {
        const requests = new InFlightRequests();
        const model = new Set<InFlight>();
        for (const step of steps) {
          const old = [...model][step];
          if (old === undefined) {
            const added = entry();
            requests.add(added);
            model.add(added);
          } else {
            requests.delete(old);
            model.delete(old);
          }
          expect(requests.size).toBe(model.size);
          const order = (entries: Iterable<InFlight>) =>
            [...entries].map((one) => [...model].indexOf(one)).sort((a, b) => a - b);
          expect(order(requests)).toEqual(order(model));
        }
      }),
    );
  });
});
