package main

import (
	"os"

	"github.com/cartstream/cartstream/pipeline"
)

const defaultSettings = "settings.yaml"

// settings reads the settings file: the one that is named, or the default one
// where it is there.
func (a *app) settings() (pipeline.Settings, error) {
	if a.configPath != "" {
		return pipeline.LoadSettings(a.configPath)
	}
	if _, err := os.Stat(defaultSettings); os.IsNotExist(err) {
		return pipeline.DefaultSettings(), nil
	}
	return pipeline.LoadSettings(defaultSettings)
}
