package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"sluice/pkg/bench/report"
)

// prepare makes the folder of the report, and sees that files can be made in it:
// nobody wants to hear of it when everything has been measured.
func (o *runOptions) prepare(made time.Time) error {
	if o.out == "" {
		o.out = filepath.Join(".run", "bench", made.Format("20060102-150405"))
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	f, err := os.CreateTemp(o.out, ".try-*")
	if err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	_, err = f.WriteString("a disk that is full takes no byte")
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// write shows the table and writes the files. One that cannot be written does
// not keep the others from it.
func (o *runOptions) write(r *report.Report, to io.Writer) error {
	errs := []error{r.WriteTable(to)}
	if o.compare != "" {
		fmt.Fprintln(to)
		errs = append(errs, r.WriteComparisons(to), save(o.out, "compared.md", r.WriteComparisons))
	}
	files := ""
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{{"report.html", r.WriteHTML}, {"report.json", r.WriteJSON}} {
		if err := save(o.out, f.name, f.write); err != nil {
			errs = append(errs, err)
			continue
		}
		files += filepath.Join(o.out, f.name) + "\n"
	}
	_, err := fmt.Fprintf(to, "\n%s", files)
	return errors.Join(append(errs, err)...)
}

func save(dir, name string, write func(io.Writer) error) error {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("%s is not complete: %w", f.Name(), err)
	}
	return nil
}
