package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// machine says what was measured, where and when.
type machine struct {
	Command    string `json:"command"`
	Date       string `json:"date"`
	Cores      int    `json:"cores"`
	System     string `json:"system"`
	Go         string `json:"go"`
	Beam       string `json:"beam"`
	PostgreSQL string `json:"postgresql"`
}

func (b *bench) describe() machine {
	return machine{
		Command: b.command, Date: time.Now().Format(time.DateOnly), Cores: runtime.NumCPU(),
		System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Beam: beamVersion(), PostgreSQL: b.server.version,
	}
}

// beamVersion is of the SDK that this program, like the measured one, is built with.
func beamVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/apache/beam/sdks/v2" {
			return m.Version
		}
	}
	return "unknown"
}

func (m machine) summary() string {
	return fmt.Sprintf("%d cores, %s, PostgreSQL %s with its default settings on the same machine, Go %s, Beam %s, %s",
		m.Cores, m.System, m.PostgreSQL, strings.TrimPrefix(m.Go, "go"), strings.TrimPrefix(m.Beam, "v"), m.Date)
}

func (m machine) String() string { return m.Command + ": " + m.summary() }
