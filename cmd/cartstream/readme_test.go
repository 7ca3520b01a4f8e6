//go:build e2e

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The settings that README shows load the file that it shows, and what stands
// for nothing there is NULL for a price and an empty text.
func TestSettingsOfTheREADME(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	settings := regexp.MustCompile(`(?m)(^    streaming:\n(?:    .+\n)+)`).FindString(string(text))
	line := regexp.MustCompile("`…aa5(;.*)`").FindStringSubmatch(string(text))
	if settings == "" || line == nil {
		t.Fatal("README shows no settings")
	}
	s := newScene(t)
	s.write("settings.yaml", strings.ReplaceAll(strings.ReplaceAll(settings, "\n    ", "\n")[4:], "/srv/incoming", s.path("in")))
	s.write("in/a.csv", "38f9045a-d91d-5386-9bca-30576879aaa5"+line[1]+"\n"+
		`38f9045a-d91d-5386-9bca-30576879aaa6;U1;P1;\N;Food;view;\N;2026-01-29 10:00:00`+"\n")
	if out, err := exec.Command("gzip", s.path("in/a.csv")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.run(exitDone, "run", "--available-now")
	s.expect("select product_name, price is null from user_events order by event_id", "Tea | true", " | true")
}
