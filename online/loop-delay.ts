/** How long the event loop of this process was held up: time in which nothing could be done for a read, however fast its statements are. */

/** How often it is looked at while somebody watches, in milliseconds. */
const LOOK_MS = 10;
/** Timers are late by less than this where nothing holds them up, in milliseconds. */
const PRECISION_MS = 3;

let watchers = 0;
let timer: NodeJS.Timeout | undefined;
let lookedAtMs = 0;
let heldUpMs = 0;

/** A watch of the event loop. */
export interface LoopWatch {
  /** Milliseconds for which the loop was held up since the watch began. */
  heldUpMs(): number;
  end(): void;
}

/** Begins to watch. There is one timer for all who do. */
export function watchLoop(): LoopWatch {
  if (watchers === 0) {
    lookedAtMs = performance.now();
    timer = setInterval(look, LOOK_MS).unref();
  }
  watchers += 1;
  const before = heldUpMs + lateMs();
  return {
    heldUpMs: () => heldUpMs + lateMs() - before,
    end: () => {
      watchers -= 1;
      if (watchers === 0) clearInterval(timer);
    },
  };
}

function look(): void {
  heldUpMs += lateMs();
  lookedAtMs = performance.now();
}

/** How late the next look is by now. */
function lateMs(): number {
  const late = performance.now() - lookedAtMs - LOOK_MS;
  return late < PRECISION_MS ? 0 : late;
}
