package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"time"
)

// servePprof serves profiles of this process on an address, as
// /debug/pprof/heap, until it ends. Without one no allocation is sampled, which
// takes 2% of a load.
func servePprof(address string) error {
	if address == "" {
		runtime.MemProfileRate = 0
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("--pprof: %w; allowed is a free address such as 127.0.0.1:6060", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	slog.Info("Profiles are served at http://" + listener.Addr().String() + "/debug/pprof/")
	go func() {
		server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
		slog.Warn("Profiles are served no more", "error", server.Serve(listener))
	}()
	return nil
}
