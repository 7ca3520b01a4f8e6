package main

import (
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// drainOnSignal returns a channel that the first SIGINT or SIGTERM closes. The
// second ends the process at once: what is not committed then is loaded by the
// next run.
func drainOnSignal() (drain <-chan struct{}, stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	first, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			slog.Info("Stopping after " + s.String() + "; a second signal ends at once")
			close(first)
		case <-stopped:
			return
		}
		pause(signals, stopped)
		select {
		case <-signals:
			slog.Warn("Ended by a second signal; what was not committed is loaded by the next run")
			os.Exit(exitSecondSignal)
		case <-stopped:
		}
	}()
	return first, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(stopped)
	})
}

// sameSignal is how long after the first signal others count as the same one:
// make and timeout pass on what the process group got too.
const sameSignal = 500 * time.Millisecond

// pause drops the signals that come within sameSignal.
func pause(signals <-chan os.Signal, stopped <-chan struct{}) {
	end := time.After(sameSignal)
	for {
		select {
		case <-signals:
		case <-end:
			return
		case <-stopped:
			return
		}
	}
}
