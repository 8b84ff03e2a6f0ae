//! `tripline assert`: queries that must find nothing, for CI and resilience tests.
//!
//! An assertion is a query for what must not be: it holds when no row comes back. Several stand in one file,
//! separated by semicolons at a line's end, each under a comment that says what it asserts; ready-made ones are
//! embedded (`ready.sql`, read the same way).

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};

use super::sql::{Row, rows};
use super::{ServeFlags, print_line};
use crate::config::HumanDuration;

/// The assertions that come with the binary.
const READY: &str = include_str!("assert/ready.sql");
/// Rows shown of a failed assertion.
const SHOWN_MAX: usize = 20;

/// Arguments of `tripline assert`.
#[derive(Debug, clap::Args)]
pub struct AssertArgs {
    /// A query that must find no row
    pub query: Option<String>,
    /// A file of such queries; a comment above each says what it asserts
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    pub file: Option<PathBuf>,
    /// Ready-made assertions whose name contains this (`--list` shows them)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["query", "file"])]
    pub ready: Option<String>,
    /// List the ready-made assertions
    #[arg(long)]
    pub list: bool,
    /// Where telemetry is kept [default: ./tripline-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Longest time a query may take, like 30s
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<HumanDuration>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "TRIPLINE_CONFIG")]
    pub config: Option<PathBuf>,
}

/// What must not be found.
#[derive(Debug, PartialEq, Eq)]
struct Assertion {
    name: String,
    query: String,
}

/// Runs the assertions; an error when one of them found rows, after all of them have run.
pub(super) fn run(args: &AssertArgs) -> anyhow::Result<()> {
    if args.list {
        for assertion in parse(READY) {
            print_line(&assertion.name);
        }
        return Ok(());
    }
    let assertions = chosen(args)?;
    let flags = ServeFlags {
        data_dir: args.data_dir.clone(),
        config: args.config.clone(),
        ..ServeFlags::default()
    };
    let config = flags.load()?;
    let mut failed = 0;
    for assertion in &assertions {
        let rows = rows(
            &config,
            &assertion.query,
            args.timeout.map(HumanDuration::get),
        )
        .with_context(|| format!("cannot check \"{}\"", assertion.name))?;
        print_line(&report(assertion, &rows));
        failed += usize::from(!rows.is_empty());
    }
    if failed > 0 {
        bail!("{failed} of {} assertions failed", assertions.len());
    }
    Ok(())
}

fn chosen(args: &AssertArgs) -> anyhow::Result<Vec<Assertion>> {
    if let Some(query) = &args.query {
        return Ok(vec![Assertion {
            name: query.trim().to_owned(),
            query: query.clone(),
        }]);
    }
    let assertions = match (&args.file, &args.ready) {
        (Some(file), _) => parse(
            &std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?,
        ),
        (None, Some(wanted)) => parse(READY)
            .into_iter()
            .filter(|assertion| assertion.name.contains(wanted.as_str()))
            .collect(),
        (None, None) => bail!("name a query, a --file or --ready assertions (--list shows them)"),
    };
    ensure!(
        !assertions.is_empty(),
        "there is no such assertion: nothing was checked"
    );
    Ok(assertions)
}

/// Reads queries that end with a semicolon at a line's end, each named by the comment above it.
fn parse(text: &str) -> Vec<Assertion> {
    let mut assertions = Vec::new();
    let (mut name, mut query) = (String::new(), String::new());
    let mut end = |name: &mut String, query: &mut String| {
        let text = query.trim().trim_end_matches(';').trim();
        if !text.is_empty() {
            let named = if name.is_empty() { text } else { name.as_str() };
            assertions.push(Assertion {
                name: named.to_owned(),
                query: text.to_owned(),
            });
            name.clear();
        }
        query.clear();
    };
    for line in text.lines() {
        match line.trim().strip_prefix("--") {
            Some(comment) if query.trim().is_empty() => {
                comment.trim().clone_into(&mut name);
            }
            _ => {
                query.push_str(line);
                query.push('\n');
                if line.trim_end().ends_with(';') {
                    end(&mut name, &mut query);
                }
            }
        }
    }
    end(&mut name, &mut query);
    assertions
}

/// One line when it holds; else its rows, as far as a person reads.
fn report(assertion: &Assertion, rows: &[Row]) -> String {
    if rows.is_empty() {
        return format!("ok      {}", assertion.name);
    }
    let mut text = format!("FAILED  {}: {} found", assertion.name, rows.len());
    for row in rows.iter().take(SHOWN_MAX) {
        text.push_str("\n       ");
        for (column, value) in row {
            let shown = match value {
                serde_json::Value::String(value) => value.escape_debug().to_string(),
                other => other.to_string(),
            };
            text.push_str(&format!(" {column}={shown}"));
        }
    }
    if rows.len() > SHOWN_MAX {
        text.push_str(&format!("\n        and {} more", rows.len() - SHOWN_MAX));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_queries_named_by_their_comments() {
        let read = parse(
            "-- first\nSELECT 1\n  -- inside\n  FROM x;\n\n-- second\nSELECT ';' AS a;\nSELECT 3",
        );
        let named: Vec<(&str, &str)> = read
            .iter()
            .map(|assertion| (assertion.name.as_str(), assertion.query.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                ("first", "SELECT 1\n  -- inside\n  FROM x"),
                ("second", "SELECT ';' AS a"),
                ("SELECT 3", "SELECT 3")
            ]
        );
    }

    #[test]
    fn a_report_shows_rows_and_says_when_it_cuts() {
        let assertion = Assertion {
            name: "none".to_owned(),
            query: String::new(),
        };
        let row: Row = serde_json::from_str(r#"{"a":1,"b":"x\ny"}"#).expect("an object");
        assert_eq!(report(&assertion, &[]), "ok      none");
        let told = report(&assertion, &vec![row; 21]);
        assert!(
            told.starts_with("FAILED  none: 21 found\n        a=1 b=x\\ny\n"),
            "{told}"
        );
        assert!(told.ends_with("and 1 more"), "{told}");
    }

    #[test]
    fn every_ready_made_assertion_has_a_name_of_its_own() {
        let ready = parse(READY);
        let names: std::collections::BTreeSet<&str> = ready
            .iter()
            .map(|assertion| assertion.name.as_str())
            .collect();
        assert_eq!(names.len(), ready.len());
        assert!(
            ready
                .iter()
                .all(|assertion| assertion.name != assertion.query)
        );
    }
}
