"""Measuring a call as the bench measures its own: CPU of the process, wall, and the largest resident size."""
import json
import resource
import time


def measured(call, more=dict):
    """Runs `call`, which returns a count, and prints the measurement as one line of JSON, with what `more` says afterwards."""
    cpu, wall = time.process_time(), time.perf_counter()
    count = call()
    used = {"cpuSeconds": time.process_time() - cpu, "wallSeconds": time.perf_counter() - wall}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**used, "peakMb": peak, "count": count, **more()}), flush=True)
