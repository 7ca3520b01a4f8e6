//go:build e2e && runners

package main

import "testing"

// On Flink the watcher and the loaders may be in other processes, each with
// caches of its own.
func TestFlinkFailovers(t *testing.T) {
	needJava(t)
	rounds := max(1, numberFrom(t, "CHAOS_FAILOVERS", 3)/10)
	for _, environment := range []string{inLoopback, inProcess} {
		t.Run(environment, func(t *testing.T) {
			f := newFailovers(t, rounds)
			v := f.flink()
			f.failovers(rounds, f.on(v, "flink", environment)...)
			f.process.signal(sigterm)
			f.process.endsWith(exitDone)
			if environment == inProcess { // there the job outlives the command
				f.run(exitDone, "job", "cancel", f.process.jobOf(), "--endpoint", v.endpoint)
			}
			f.verifyManifest()
		})
	}
}
