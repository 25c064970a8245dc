// Package report is what a measurement came to, and how it is shown: a table in
// the terminal, a JSON file, and an HTML page that stands alone.
package report
