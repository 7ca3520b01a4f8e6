package files

import (
	"slices"
	"sync"
)

// maxNamed bounds the paths that are kept: where there are more, a listing is
// cheaper.
const maxNamed = 10_000

// Events are what the operating system tells of the folders of patterns, as hints
// to look before the next listing is due: they may be lost, come for nothing, or
// never come, as from file systems of a network. A nil *Events has none.
type Events struct {
	patterns []Pattern
	source   *source
	woken    chan struct{}

	mu sync.Mutex
	// named are the paths that something happened to.
	named map[string]happening
	// arrived counts those that may be complete.
	arrived int
	// lost tells that paths are not named that should be.
	lost bool
	// blind tells that the latest listing has read folders whose events don't come,
	// or may not; trouble is why, if it is an error.
	blind   bool
	trouble error
}

// happening is what an event says about a file.
type happening uint8

const (
	// changed means that it may be in the middle of a write.
	changed happening = iota
	// closed means that a writer has closed it, or that it appeared with content, as a
	// hard link does.
	closed
	// renamed means that it got its name by a rename.
	renamed
)

// Named is a path that something happened to.
type Named struct {
	Path string
	// Renamed tells that the path got its file by a rename, which is how a writer says
	// that the file is complete.
	Renamed bool
}

// NewEvents returns the events of patterns, none until a listing of them begins.
func NewEvents(patterns []Pattern) (*Events, error) {
	e := &Events{patterns: patterns, woken: make(chan struct{}, 1), named: map[string]happening{}}
	e.mu.Lock() // the source tells nothing before it is there
	defer e.mu.Unlock()
	source, err := openSource(e)
	if err != nil {
		return nil, err
	}
	e.source = source
	return e, nil
}

// Close ends the events.
func (e *Events) Close() {
	if e != nil {
		e.source.close()
	}
}

// Named takes the paths that something happened to since the last call: those that may
// be complete (see Arrived), or all.
func (e *Events) Named(all bool) []Named {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !all && e.arrived == 0 {
		return nil
	}
	var taken []Named
	for path, what := range e.named {
		if all || what > changed {
			taken = append(taken, Named{Path: path, Renamed: what == renamed})
			delete(e.named, path)
		}
	}
	e.arrived = 0
	return taken
}

// Woken receives after something has happened that Arrived or Lost tells.
func (e *Events) Woken() <-chan struct{} {
	if e == nil {
		return nil
	}
	return e.woken
}

// Arrived tells whether a file was renamed or linked into a folder, or was closed after
// writing, since the last call of Named: it is time to look at it. Another process may
// still have it open for writing.
func (e *Events) Arrived() bool {
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.arrived > 0
}

// Has reports whether Named would return the path.
func (e *Events) Has(path string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.named[path]
	return ok
}

// Lost tells whether only a listing can tell what has happened since the last one.
func (e *Events) Lost() bool {
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lost
}

// Complete tells whether all that happens in the folders of the latest listing can
// be relied on to be told, but for what is written to a file that stays open. The
// error is the trouble that there is, if any.
func (e *Events) Complete() (bool, error) {
	if e == nil {
		return false, nil
	}
	e.mu.Lock()
	blind, trouble := e.blind, e.trouble
	e.mu.Unlock()
	return !blind && !e.source.moved(), trouble
}

// begin and end enclose a listing. It does not take what was named: it may skip
// files that it would find changed.
func (e *Events) begin() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost, e.blind, e.trouble = false, false, nil
	e.source.begin()
}

func (e *Events) end() {
	if e != nil {
		e.source.end()
	}
}

// follow asks for the events of a folder that is listed.
func (e *Events) follow(folder string) {
	if e == nil {
		return
	}
	if told, err := e.source.follow(folder); !told {
		e.miss(err)
	}
}

// miss notes that something that is listed has no events, because of err where
// that is trouble.
func (e *Events) miss(err error) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.blind = true
	if err != nil && !absent(err) && e.trouble == nil {
		e.trouble = err
	}
}

// happened notes an event of a path.
func (e *Events) happened(path string, what happening) {
	if !slices.ContainsFunc(e.patterns, func(p Pattern) bool { return p.matches(path) }) {
		return
	}
	e.mu.Lock()
	before, there := e.named[path]
	if !there && len(e.named) == maxNamed {
		e.lost = true
	} else {
		if what > changed && before == changed {
			e.arrived++
		}
		if what > changed || !there { // the latest word on whether it is complete
			e.named[path] = what
		}
	}
	wake := what > changed || e.lost
	e.mu.Unlock()
	if wake {
		e.wake()
	}
}

// lose notes that only a listing tells what has happened.
func (e *Events) lose() {
	e.mu.Lock()
	e.lost = true
	e.mu.Unlock()
	e.wake()
}

func (e *Events) wake() {
	select {
	case e.woken <- struct{}{}:
	default:
	}
}

// deep tells whether files of a folder below a folder that is listed may matter.
func (e *Events) deep() bool {
	return slices.ContainsFunc(e.patterns, func(p Pattern) bool { return len(p.parts) > 1 })
}
