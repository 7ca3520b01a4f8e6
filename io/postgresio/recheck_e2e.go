//go:build e2e

package postgresio

import (
	"os"
	"time"
)

// The program that the tests of the whole program build checks the target table
// more often where this variable says so. Other builds do not know it.
func init() {
	if pause, err := time.ParseDuration(os.Getenv("E2E_RECHECK")); err == nil {
		targetPause = pause
	}
}
