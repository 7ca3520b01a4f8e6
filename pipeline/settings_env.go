package pipeline

import (
	"cmp"
	"strings"

	"gopkg.in/yaml.v3"
)

// environment takes the variables CARTSTREAM_<SECTION>_<KEY>. Those that begin
// with the name of a section and go on with no key of it are mistakes; other
// variables are none of ours.
func (p *settingsParser) environment(environ []string) {
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		rest, ours := strings.CutPrefix(name, "CARTSTREAM_")
		if !ours {
			continue
		}
		for _, s := range p.sections {
			if key, in := strings.CutPrefix(rest, strings.ToUpper(s.name)+"_"); in {
				p.variable(s, name, strings.ToLower(key), value)
			}
		}
	}
}

func (p *settingsParser) variable(s settingsSection, variable, key, value string) {
	fail := func(key, message string) {
		p.errs = append(p.errs, &SettingsError{File: variable, Key: key, Message: message})
	}
	var names []string
	for _, k := range s.keys {
		names = append(names, k.name)
		if k.name != key {
			continue
		}
		full := join(s.name, key)
		if err := k.value.set(scalar(value)); err != nil {
			fail(full, err.Error())
		}
		p.origins[full] = variable
		return
	}
	fail("", "found no setting of that name"+p.suggest(s.name, names, &yaml.Node{Kind: yaml.ScalarNode, Value: key})+
		"; the keys of "+s.name+" are "+strings.Join(names, ", "))
}

// scalar reads a variable's text as a file's value would be read: 5 is a
// number and 10s a text. What is no plain YAML value is a text.
func scalar(text string) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err == nil && len(doc.Content) == 1 && doc.Content[0].Kind != yaml.MappingNode {
		return doc.Content[0]
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// Setting is one setting in force.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// Origin is "default", file:line, or the variable that set it.
	Origin string `json:"origin"`
}

// inForce returns all settings in the order of the file.
func (p *settingsParser) inForce() []Setting {
	var all []Setting
	for _, s := range p.sections {
		for _, k := range s.keys {
			key := join(s.name, k.name)
			all = append(all, Setting{Key: key, Value: k.value.get(), Origin: cmp.Or(p.origins[key], "default")})
		}
	}
	return all
}
