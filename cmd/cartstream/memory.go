package main

import (
	"os"
	"runtime/debug"
)

// memoryLimit is where the garbage collector begins to hurry, in bytes: beyond
// what a run takes, and below twice what it holds while it reads a zstd with the
// largest window.
const memoryLimit = 300 << 20

// boundMemory sets the limit, unless GOMEMLIMIT does.
func boundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
