// Package generator writes files of made-up e-commerce events, as a shop's web
// servers would drop them into a folder: CSV files that appear whole, with
// faults on purpose where they are asked for, and a manifest that says to the
// record what a load of them must come to.
//
// Run does it all. What a run writes is decided by its Options alone when Seed
// and Start are set: then the same options give the same names and bytes in an
// empty folder. Otherwise the clock and chance have their say.
//
// An event_id is made of the event itself (see EventID), so an event that is
// written twice bears the same id twice, and different events of a run never
// share one.
package generator
