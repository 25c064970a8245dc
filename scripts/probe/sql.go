package main

import (
	"context"
	"database/sql"
	"fmt"

	_ "github.com/go-sql-driver/mysql" // the driver
)

// askSQL makes and drops a database, as the tests do.
func askSQL(ctx context.Context, dsn string) (string, error) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return "", err
	}
	defer db.Close()
	var version string
	if err := db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return "", err
	}
	for _, statement := range []string{
		"CREATE DATABASE IF NOT EXISTS sluice_probe",
		"CREATE TABLE IF NOT EXISTS sluice_probe.t (id INT PRIMARY KEY)",
		"DROP DATABASE sluice_probe",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return "", fmt.Errorf("%s: %w", statement, err)
		}
	}
	return version, nil
}
