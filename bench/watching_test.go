package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	text := "4711 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 9 0\n"
	if got, err := parseStat(text); err != nil || got != 1750*time.Millisecond {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parseStat("4711 (x) S 1 2"); err == nil {
		t.Error("too few fields were taken")
	}
}

func TestParseBenchmark(t *testing.T) {
	got, err := parseBenchmark([]byte("goos: linux\nBenchmarkPoll-2  \t 5\t 220000000 ns/op\t 7 cpu-ms/op\nBenchmarkPoll-2  \t 5\t 230000000.5 ns/op\nPASS\n"))
	if err != nil || !slices.Equal(got, []float64{0.22, 0.2300000005}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parseBenchmark([]byte("PASS\n")); err == nil || !strings.Contains(err.Error(), "PASS") {
		t.Errorf("no figure: %v", err)
	}
}
