package main

import (
	"os"
	"strings"

	"github.com/cartstream/cartstream/io/postgresio"
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

// database is the environment's, or the settings' where the environment names
// none.
func (a *app) database(s pipeline.Settings) postgresio.Database {
	url := s.Postgres.URL
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "DATABASE_URL=") || strings.HasPrefix(v, "PGHOST=") || strings.HasPrefix(v, "PGSERVICE=") {
			url = ""
		}
	}
	return postgresio.SetURL("", url)
}
