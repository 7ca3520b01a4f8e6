package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/core"
)

// version is that of the module, as the build has it (of a checkout the commit),
// and of what it stands on.
func version() string {
	module := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		module = info.Main.Version
	}
	return fmt.Sprintf("%s (%s, Beam %s, %s/%s)", cmp.Or(module, "(devel)"), runtime.Version(), core.SdkVersion, runtime.GOOS, runtime.GOARCH)
}
