//! Questions that are planned once.
//!
//! DuckDB 2.0.0 plans a prepared statement that reads tables twice: when it is prepared, and again at each execution
//! (`Optimizer::Optimize` marks it as one that must always be bound anew). Over sixteen segments a plan costs 20 to
//! 80 ms, often more than the reading. A statement with a parameter whose type nothing tells is left unplanned until
//! its values are there; so each question gets such a parameter, in a branch without rows that is bound first and
//! that the optimizer takes away.

use std::time::Instant;

use arrow::array::RecordBatch;
use duckdb::{Connection, MappedRows, Row, Rows, Statement, ToSql};

use crate::model::Scope;

/// Asks questions on a connection.
pub(crate) trait Ask {
    /// The question `sql`: one SELECT, with `?` for its values or with `$1`, `$2` …, never both.
    fn ask(&self, sql: &str) -> duckdb::Result<Question<'_>>;

    /// The only row of an answer, read by `read`; no row is [`duckdb::Error::QueryReturnedNoRows`].
    fn ask_row<T>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item: ToSql>,
        read: impl FnOnce(&Row<'_>) -> duckdb::Result<T>,
    ) -> duckdb::Result<T> {
        let mut question = self.ask(sql)?;
        let mut rows = question.query(values)?;
        let row = rows.next()?.ok_or(duckdb::Error::QueryReturnedNoRows)?;
        read(row)
    }
}

/// A question whose values are not known yet.
pub(crate) struct Question<'c> {
    statement: Statement<'c>,
    is_numbered: bool,
}

/// No values.
pub(crate) const NONE: [u8; 0] = [];

/// The scope in three columns of a row, from `at` on.
pub(crate) fn scope(row: &Row<'_>, at: usize) -> duckdb::Result<Scope> {
    Ok(Scope {
        environment: row.get(at)?,
        service_namespace: row.get(at + 1)?,
        cluster: row.get(at + 2)?,
    })
}

/// `sql`, one SELECT, so that it is planned when it is executed and not before; `marker` is a hole of its own for any
/// text. Rows keep their order.
pub(crate) fn unplanned(sql: &str, marker: &str) -> String {
    format!(
        "SELECT * EXCLUDE (unplanned) FROM (SELECT length({marker}) AS unplanned WHERE false \
         UNION ALL BY NAME (SELECT * FROM (\n{sql}\n)))"
    )
}

impl Ask for Connection {
    fn ask(&self, sql: &str) -> duckdb::Result<Question<'_>> {
        let numbers = highest_number(sql);
        let marker = match numbers {
            Some(highest) => format!("${}", highest + 1),
            None => "?".to_owned(),
        };
        let started = Instant::now();
        let statement = self.prepare(&unplanned(sql, &marker))?;
        let micros = started.elapsed().as_micros();
        tracing::trace!(bytes = sql.len(), micros, start = start_of(sql), "parsed");
        Ok(Question {
            statement,
            is_numbered: numbers.is_some(),
        })
    }
}

impl Question<'_> {
    /// The rows of the answer, in the question's order.
    pub(crate) fn query(
        &mut self,
        values: impl IntoIterator<Item: ToSql>,
    ) -> duckdb::Result<Rows<'_>> {
        self.execute(values)?;
        Ok(self.statement.raw_query())
    }

    /// The answer's columns, some thousand rows at a time, none of them kept: for answers too long to be looked at value by
    /// value. Several segments are read by one thread, unless a LIMIT gathers their rows first.
    pub(crate) fn columns(
        &mut self,
        values: &[&dyn ToSql],
    ) -> duckdb::Result<impl Iterator<Item = duckdb::Result<RecordBatch>>> {
        let marker: &dyn ToSql = &"";
        let all = if self.is_numbered {
            [values, &[marker]].concat()
        } else {
            [&[marker], values].concat()
        };
        self.statement.stream_arrow(all.as_slice())
    }

    fn execute(&mut self, values: impl IntoIterator<Item: ToSql>) -> duckdb::Result<()> {
        let mut next = 1;
        if !self.is_numbered {
            self.statement.raw_bind_parameter(next, "")?;
            next += 1;
        }
        for value in values {
            self.statement.raw_bind_parameter(next, value)?;
            next += 1;
        }
        if self.is_numbered {
            self.statement.raw_bind_parameter(next, "")?;
        }
        let started = Instant::now();
        self.statement.raw_execute()?;
        tracing::trace!(micros = started.elapsed().as_micros(), "executed");
        Ok(())
    }

    /// The rows of the answer, each read by `read`.
    pub(crate) fn query_map<T, F: FnMut(&Row<'_>) -> duckdb::Result<T>>(
        &mut self,
        values: impl IntoIterator<Item: ToSql>,
        read: F,
    ) -> duckdb::Result<MappedRows<'_, F>> {
        Ok(self.query(values)?.mapped(read))
    }
}

/// Enough of a question to tell it from others in a log.
fn start_of(sql: &str) -> &str {
    let line = sql.lines().find(|line| !line.starts_with("--"));
    let line = line.unwrap_or_default();
    line.get(..60).unwrap_or(line)
}

/// The highest `$n` of a question; `None` when its values have no numbers.
fn highest_number(sql: &str) -> Option<usize> {
    sql.split('$')
        .skip(1)
        .filter_map(|after| {
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            after[..digits].parse().ok()
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(sql: &str, values: &[&dyn ToSql]) -> Vec<i64> {
        let conn = Connection::open_in_memory().expect("an engine");
        conn.execute_batch("CREATE TABLE t AS SELECT range AS n FROM range(9)")
            .expect("a table");
        let mut question = conn.ask(sql).expect("it can be asked");
        let rows = question
            .query_map(values, |row| row.get(0))
            .expect("it runs");
        rows.collect::<Result<_, _>>().expect("numbers")
    }

    #[test]
    fn values_come_in_the_order_of_their_holes_and_rows_in_the_order_asked_for() {
        let unnumbered = "-- a comment\nSELECT n FROM t WHERE n >= ? AND n < ? ORDER BY n DESC";
        assert_eq!(numbers(unnumbered, &[&5, &8]), [7, 6, 5]);
        let numbered =
            "SELECT n FROM t WHERE n < $2 AND n >= $1 AND n <> $2 ORDER BY n DESC LIMIT 2";
        assert_eq!(numbers(numbered, &[&5, &8]), [7, 6]);
        assert_eq!(numbers("SELECT max(n) AS n, 1 AS n FROM t", &[]), [8]);
    }

    #[test]
    fn many_threads_keep_the_order_asked_for() {
        let conn = Connection::open_in_memory().expect("an engine");
        conn.execute_batch(
            "SET threads = 4;
             CREATE TABLE t AS SELECT hash(range) AS n FROM range(600_000)",
        )
        .expect("a table");
        let mut question = conn
            .ask("SELECT n FROM t ORDER BY n")
            .expect("it can be asked");
        let rows = question
            .query_map(NONE, |row| row.get::<_, u64>(0))
            .expect("it runs");
        let all: Vec<u64> = rows.collect::<Result<_, _>>().expect("numbers");
        assert_eq!(all.len(), 600_000);
        assert!(all.is_sorted());
    }

    #[test]
    fn what_is_wrong_with_a_question_is_said() {
        let conn = Connection::open_in_memory().expect("an engine");
        let wrong = conn.ask_row("SELECT nothing FROM nowhere", NONE, |_| Ok(()));
        assert!(wrong.is_err_and(|error| error.to_string().contains("nowhere")));
        let none = conn.ask_row("SELECT 1 WHERE false", NONE, |_| Ok(()));
        assert!(matches!(none, Err(duckdb::Error::QueryReturnedNoRows)));
    }
}
