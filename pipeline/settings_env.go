package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/cartstream/cartstream/internal/nearest"
)

// prefix begins the names of the variables that are settings.
const prefix = "CARTSTREAM_"

// notSettings begin the names of variables with another meaning: the folder of
// PostgreSQL's programs, and what tests are told.
var notSettings = []string{"CACHE", "EMBEDDEDPG_", "TEST_"}

// environment takes the variables CARTSTREAM_<SECTION>_<KEY>. One that is no
// setting is a mistake.
func (p *settingsParser) environment(environ []string) {
	var names []string
	values := map[string]settingsKey{}
	for _, s := range p.sections {
		for _, k := range s.keys {
			name := strings.ToUpper(s.name + "_" + k.name)
			names = append(names, name)
			values[name] = settingsKey{join(s.name, k.name), k.value}
		}
	}
	for _, v := range environ {
		variable, text, _ := strings.Cut(v, "=")
		name, ours := strings.CutPrefix(variable, prefix)
		if !ours || slices.ContainsFunc(notSettings, func(begin string) bool { return strings.HasPrefix(name, begin) }) {
			continue
		}
		if key, known := values[name]; known {
			p.variable(variable, key, text)
			continue
		}
		meant := ""
		if near := nearest.Name(strings.ToUpper(name), names); near != "" {
			meant = "; did you mean " + prefix + near + "?"
		}
		p.errs = append(p.errs, &SettingsError{File: variable, Message: "found no setting of that name" + meant +
			"; allowed is " + prefix + "<SECTION>_<KEY> of a setting that 'cartstream config' lists"})
	}
}

func (p *settingsParser) variable(variable string, key settingsKey, text string) {
	n, err := key.value.variable(text)
	if err == nil {
		err = key.value.set(n)
	}
	if err != nil {
		p.errs = append(p.errs, &SettingsError{File: variable, Key: key.name, Message: err.Error()})
	}
	p.origins[key.name] = variable
}

// literal is a variable's text as it is, whatever YAML would make of it.
func literal(text string) (*yaml.Node, error) {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}, nil
}

// literalOrList is a text as it is, or, where it begins with [, a list.
func literalOrList(text string) (*yaml.Node, error) {
	if !strings.HasPrefix(text, "[") {
		return literal(text)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) != 1 {
		return nil, fmt.Errorf(`found %q, which begins with [ and is no list; allowed is a text, or a list such as ["a", "b"]: write ["…"] around a text that begins with [`, shorten(text))
	}
	return doc.Content[0], nil
}

// plain is a number, a time, true or false.
func plain(text string) (*yaml.Node, error) {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSpace(text)}, nil
}

// database has the origins tell where the environment names the database, which
// goes over postgres.url.
func (p *settingsParser) database(environ []string) {
	getenv := func(name string) string {
		for _, v := range environ {
			if value, is := strings.CutPrefix(v, name+"="); is {
				return value
			}
		}
		return ""
	}
	if name := databaseVariable(getenv); name != "" {
		p.origins[urlKey] = name
	}
}

// Setting is one setting in force.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// Origin is "default", file:line, or the variable that set it; of
	// postgres.url also DATABASE_URL or the PG* variable that goes over it.
	Origin string `json:"origin"`
}

const urlKey = "postgres.url"

// inForce returns all settings in the order of the file.
func (p *settingsParser) inForce() []Setting {
	var all []Setting
	for _, s := range p.sections {
		for _, k := range s.keys {
			key := join(s.name, k.name)
			one := Setting{Key: key, Value: k.value.get(), Origin: cmp.Or(p.origins[key], "default")}
			if key == urlKey && slices.Contains(databaseVariables, one.Origin) {
				one.Value = hidden(one.Origin)
			}
			all = append(all, one)
		}
	}
	return all
}
