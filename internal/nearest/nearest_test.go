package nearest

import (
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	names := []string{"input", "trigger_interval", "available-now"}
	for word, want := range map[string]string{
		"inptu": "input", "availablenow": "available-now", "trigger-interval": "trigger_interval", "input": "input",
		"zebra": "", "": "", "in": "", strings.Repeat("x", 65): "",
	} {
		if got := Name(word, names); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
