// Command probe asks MariaDB, Redis and Kafka, in their own protocols and with
// the clients that Sluice uses, whether they serve; makes the topics; and prints
// what it found. scripts/services.sh runs it at the end of `up`.
//
// It reads the addresses from SLUICE_TEST_MYSQL_DSN, SLUICE_TEST_REDIS and
// SLUICE_TEST_KAFKA. Each question is repeated until it is answered or the time
// is over; then the last error is told and the exit code is 1.
package main
