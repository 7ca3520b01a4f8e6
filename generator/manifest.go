package generator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Manifest says what a run wrote, so that a load of its files can be checked to
// the record.
type Manifest struct {
	// Seed is the one the events were drawn with.
	Seed uint64 `json:"seed"`
	// Start is the time of the first file. Only for runs whose Options.Start was
	// set do Seed and Start bring back the same files.
	Start time.Time `json:"start"`
	// Files lists the files in the order of their writing.
	Files  []File `json:"files"`
	Totals Totals `json:"totals"`
}

// File is one file of a run.
type File struct {
	// Name is the name within the folder.
	Name string `json:"name"`
	// Bytes is the size as it stands on disk.
	Bytes int64 `json:"bytes"`
	// Events = Valid + Rejected: all records but the header.
	Events     int64 `json:"events"`
	Valid      int64 `json:"valid"`
	Duplicates int64 `json:"duplicates"`
	Rejected   int64 `json:"rejected"`
}

// Totals counts the records of a run. Always
//
//	Events = DistinctIDs + Duplicates + the sum of Invalid and Corrupt + Future
type Totals struct {
	Files int64 `json:"files"`
	// Events counts all records, good and bad.
	Events int64 `json:"events"`
	// Valid counts the good ones: DistinctIDs + Duplicates.
	Valid int64 `json:"valid"`
	// DistinctIDs is the number of rows that a load makes in an empty table.
	DistinctIDs int64 `json:"distinct_ids"`
	// Duplicates counts good records whose id an earlier one had.
	Duplicates int64 `json:"duplicates"`
	// Invalid counts proper CSV records that break a rule, by code.
	Invalid map[string]int64 `json:"invalid"`
	// Corrupt counts what is no proper CSV record, by code.
	Corrupt map[string]int64 `json:"corrupt"`
	// Future counts records whose time lies in the future, and no more is wrong
	// with them; their code is future_timestamp.
	Future int64 `json:"future"`
}

func newTotals() Totals {
	t := Totals{Invalid: map[string]int64{}, Corrupt: map[string]int64{}}
	for _, d := range invalidDefects {
		t.Invalid[d.code] = 0
	}
	for _, d := range corruptDefects {
		t.Corrupt[d.code] = 0
	}
	return t
}

// DeadLetters returns how many dead letters of each code a load must make.
func (t Totals) DeadLetters() map[string]int64 {
	letters := map[string]int64{codeFutureTimestamp: t.Future}
	for _, counts := range []map[string]int64{t.Invalid, t.Corrupt} {
		for code, n := range counts {
			letters[code] += n
		}
	}
	return letters
}

// Rejected returns the number of bad records of all kinds.
func (t Totals) Rejected() int64 {
	n := t.Future
	for _, counts := range []map[string]int64{t.Invalid, t.Corrupt} {
		for _, k := range counts {
			n += k
		}
	}
	return n
}

func (t *Totals) add(u Totals) {
	t.Files += u.Files
	t.Events += u.Events
	t.Valid += u.Valid
	t.DistinctIDs += u.DistinctIDs
	t.Duplicates += u.Duplicates
	t.Future += u.Future
	for code, n := range u.Invalid {
		t.Invalid[code] += n
	}
	for code, n := range u.Corrupt {
		t.Corrupt[code] += n
	}
}

// check returns an error when the counts contradict each other.
func (t Totals) check() error {
	if t.Valid != t.DistinctIDs+t.Duplicates || t.Events != t.Valid+t.Rejected() {
		return fmt.Errorf("events %d are not distinct_ids %d + duplicates %d (valid %d) + bad records %d",
			t.Events, t.DistinctIDs, t.Duplicates, t.Valid, t.Rejected())
	}
	return nil
}

// ReadManifest reads what a run wrote to Options.Manifest.
func ReadManifest(path string) (Manifest, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Manifest{}, explain("reading the manifest", path, err)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, fmt.Errorf("%s is no manifest of the generator: %w", path, err)
	}
	if err := m.Totals.check(); err != nil {
		return Manifest{}, fmt.Errorf("the manifest %s is damaged: %w", path, err)
	}
	return m, nil
}

// prepareManifest finds out before a long run whether its manifest can be
// written.
func prepareManifest(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return fmt.Errorf("the manifest %s is a folder: name a file", path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("looking for the manifest", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return explain("making the folder of the manifest", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix)
	if err != nil {
		return explain("writing the manifest", path, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// write puts the manifest in the place of what was at path, in one step.
func (m Manifest) write(path string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the manifest: %w", err)
	}
	temp := filepath.Join(filepath.Dir(path), tempPrefix+filepath.Base(path))
	if err := writeSynced(temp, append(text, '\n')); err != nil {
		return errors.Join(explain("writing the manifest", path, err), removeIfThere(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(explain("writing the manifest", path, err), removeIfThere(temp))
	}
	return nil
}

func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
