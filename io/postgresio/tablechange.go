package postgresio

import (
	"fmt"
	"slices"
)

// changes says in what the columns and unique keys of two readings of a table
// differ.
func (t *table) changes(o *table) (all []string) {
	for _, c := range t.columns {
		now, there := o.column(c.name)
		switch {
		case !there:
			all = append(all, fmt.Sprintf("the column %q (%s) is gone", c.name, c.describe()))
		case c.describe() != now.describe():
			all = append(all, fmt.Sprintf("the column %q was %s and is %s", c.name, c.describe(), now.describe()))
		}
	}
	for _, c := range o.columns {
		if _, there := t.column(c.name); !there {
			all = append(all, fmt.Sprintf("the column %q (%s) is new", c.name, c.describe()))
		}
	}
	for _, k := range t.candidates {
		if !slices.ContainsFunc(o.candidates, k.equal) {
			all = append(all, fmt.Sprintf("the unique key (%s) is gone", quoteList(k.columns)))
		}
	}
	for _, k := range o.candidates {
		if !slices.ContainsFunc(t.candidates, k.equal) {
			all = append(all, fmt.Sprintf("the unique key (%s) is new", quoteList(k.columns)))
		}
	}
	return all
}

// describe is a column's type and what else decides whether it can be written.
func (c column) describe() string {
	s := c.declared
	if !c.nullable {
		s += " NOT NULL"
	}
	switch {
	case c.generated:
		s += " generated"
	case c.required:
		s += " without a default"
	}
	return s
}

func (k keyCandidate) equal(o keyCandidate) bool {
	return slices.Equal(k.columns, o.columns) && k.nullsEqual == o.nullsEqual
}
