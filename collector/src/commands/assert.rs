//! `tripline assert`: queries that must find nothing, for CI and resilience tests.
//!
//! An assertion is a query for what must not be: it holds when no row comes back. Several stand in one file,
//! separated by semicolons at a line's end, each under a comment that says what it asserts; ready-made ones are
//! embedded (`ready.sql`, read the same way). A comment `set minutes = 60` gives an assertion a parameter: `{minutes}`
//! in its query becomes the text `'60'`, or what `--set minutes=…` says; without a default it has to be said. With
//! `set minutes: count = 60` it takes only numbers that count something; `Kind` has the others.
//!
//! Exit codes: 0 = all hold, 1 = rows were found, 2 = something could not be checked.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail, ensure};

use super::sql::{Row, rows, statement};
use super::{ServeFlags, print_line};
use crate::config::HumanDuration;

/// The assertions that come with the binary.
const READY: &str = include_str!("assert/ready.sql");
/// Rows shown of a failed assertion.
const SHOWN_MAX: usize = 20;

/// Arguments of `tripline assert`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all hold, 1 rows were found, 2 something could not be checked"
)]
pub struct AssertArgs {
    /// A query that must find no row
    #[arg(allow_hyphen_values = true, value_parser = statement)]
    pub query: Option<String>,
    /// A file of such queries; a comment above each says what it asserts
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    pub file: Option<PathBuf>,
    /// Ready-made assertions whose name contains this (`--list` shows them)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["query", "file"])]
    pub ready: Option<String>,
    /// A parameter of the assertions, like breaker=payment; may be given several times
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "query")]
    pub set: Vec<Setting>,
    /// List the ready-made assertions and their parameters
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

/// A parameter as it is said on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    name: String,
    value: String,
}

impl std::str::FromStr for Setting {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("say NAME=VALUE")?;
        Ok(Self {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
        })
    }
}

/// What values of a parameter mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Any text, where nothing else is declared.
    Text,
    /// `number`
    Number,
    /// `whole`
    Whole,
    /// `count`
    Count,
}

impl Kind {
    fn read(word: &str) -> Option<Self> {
        match word {
            "number" => Some(Self::Number),
            "whole" => Some(Self::Whole),
            "count" => Some(Self::Count),
            _ => None,
        }
    }

    fn fits(self, value: &str) -> bool {
        // Whole numbers become INTEGER in a query.
        let is_whole_from = |least: i32| value.parse::<i32>().is_ok_and(|whole| whole >= least);
        match self {
            Self::Text => true,
            Self::Number => value
                .parse::<f64>()
                .is_ok_and(|number| number.is_finite() && number >= 0.0),
            Self::Whole => is_whole_from(0),
            Self::Count => is_whole_from(1),
        }
    }

    fn described(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number that is not negative",
            Self::Whole => "a whole number that is not negative",
            Self::Count => "a whole number of at least 1",
        }
    }
}

/// What an assertion leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parameter {
    name: String,
    kind: Kind,
    default: Option<String>,
}

/// What must not be found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Assertion {
    name: String,
    query: String,
    parameters: Vec<Parameter>,
}

/// How the assertions came out.
#[derive(Debug, Default)]
struct Tally {
    checked: usize,
    failed: usize,
    unchecked: usize,
}

impl Parameter {
    /// What is said of it, or its default.
    fn value<'a>(&'a self, set: &'a [Setting]) -> Option<&'a str> {
        let said = set.iter().find(|setting| setting.name == self.name);
        said.map(|setting| setting.value.as_str())
            .or(self.default.as_deref())
    }
}

impl Assertion {
    /// With a value for each parameter; what is missing when there is none.
    fn filled(&self, set: &[Setting]) -> Result<Self, String> {
        let mut filled = Self {
            parameters: Vec::new(),
            ..self.clone()
        };
        for parameter in &self.parameters {
            let name = &parameter.name;
            let value = parameter.value(set);
            let value = value.ok_or_else(|| format!("--set {name}=…"))?;
            let hole = format!("{{{name}}}");
            filled.name = filled.name.replace(&hole, value);
            let literal = format!("'{}'", value.replace('\'', "''"));
            filled.query = filled.query.replace(&hole, &literal);
        }
        Ok(filled)
    }

    /// Its line in the list.
    fn listed(&self) -> String {
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(|parameter| {
                let default = parameter.default.as_deref().unwrap_or("…");
                format!("{}={default}", parameter.name)
            })
            .collect();
        if parameters.is_empty() {
            return self.name.clone();
        }
        format!("{}  (--set {})", self.name, parameters.join(", "))
    }
}

/// Runs the assertions: whether all of them hold, some found rows, or some could not be checked.
pub(super) fn run(args: &AssertArgs) -> ExitCode {
    match check(args) {
        Ok(tally) if tally.unchecked > 0 => ExitCode::from(2),
        Ok(tally) if tally.failed > 0 => ExitCode::from(1),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tripline: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs all of them: one that cannot be checked does not stand in the way of the others.
fn check(args: &AssertArgs) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    if args.list {
        for assertion in parse(READY) {
            print_line(&assertion.listed());
        }
        return Ok(tally);
    }
    let assertions = chosen(args)?;
    let flags = ServeFlags {
        data_dir: args.data_dir.clone(),
        config: args.config.clone(),
        ..ServeFlags::default()
    };
    let config = flags.load()?;
    let timeout = args.timeout.map(HumanDuration::get);
    for assertion in &assertions {
        let found = match assertion.filled(&args.set) {
            Ok(filled) => rows(&config, &filled.query, timeout).map(|rows| (filled, rows)),
            // A ready-made one that was asked for among others says what it wants; in a file, each is meant.
            Err(missing) if args.ready.is_some() && assertions.len() > 1 => {
                print_line(&format!("skipped {}: needs {missing}", assertion.name));
                continue;
            }
            Err(missing) => Err(anyhow!("it needs {missing}")),
        };
        match found {
            Ok((filled, rows)) => {
                print_line(&report(&filled, &rows));
                tally.checked += 1;
                tally.failed += usize::from(!rows.is_empty());
            }
            Err(error) => {
                print_line(&format!("ERROR   {}: could not be checked", assertion.name));
                eprintln!("tripline: cannot check \"{}\": {error:#}", assertion.name);
                tally.unchecked += 1;
            }
        }
    }
    ensure!(tally.checked + tally.unchecked > 0, "nothing was checked");
    if tally.failed > 0 {
        let Tally {
            checked, failed, ..
        } = tally;
        eprintln!("tripline: {failed} of {checked} assertions failed");
    }
    if tally.unchecked > 0 && assertions.len() > 1 {
        let (unchecked, all) = (tally.unchecked, assertions.len());
        eprintln!("tripline: {unchecked} of {all} assertions could not be checked");
    }
    Ok(tally)
}

fn chosen(args: &AssertArgs) -> anyhow::Result<Vec<Assertion>> {
    if let Some(query) = &args.query {
        return Ok(vec![Assertion {
            name: query.trim().to_owned(),
            query: query.clone(),
            parameters: Vec::new(),
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
    let is_known = |setting: &&Setting| {
        let mut all = assertions.iter().flat_map(|one| &one.parameters);
        all.any(|parameter| parameter.name == setting.name)
    };
    if let Some(unknown) = args.set.iter().find(|setting| !is_known(setting)) {
        bail!("none of these assertions has a parameter {}", unknown.name);
    }
    for parameter in assertions.iter().flat_map(|one| &one.parameters) {
        let value = parameter.value(&args.set);
        if let Some(value) = value.filter(|value| !parameter.kind.fits(value)) {
            let (name, wanted) = (&parameter.name, parameter.kind.described());
            bail!("{name}={value} cannot be: {name} is {wanted}");
        }
    }
    Ok(assertions)
}

/// Reads queries that end with a semicolon at a line's end, each named by the comment above it.
fn parse(text: &str) -> Vec<Assertion> {
    let mut assertions = Vec::new();
    let mut next = Assertion {
        name: String::new(),
        query: String::new(),
        parameters: Vec::new(),
    };
    let empty = next.clone();
    let mut end = |read: &mut Assertion| {
        let query = read.query.trim().trim_end_matches(';').trim().to_owned();
        if query.is_empty() {
            read.query.clear();
            return;
        }
        let mut read = std::mem::replace(read, empty.clone());
        if read.name.is_empty() {
            query.clone_into(&mut read.name);
        }
        assertions.push(Assertion { query, ..read });
    };
    for line in text.lines() {
        match line.trim().strip_prefix("--") {
            Some(comment) if next.query.trim().is_empty() => match parameter(comment.trim()) {
                Some(parameter) => next.parameters.push(parameter),
                None => comment.trim().clone_into(&mut next.name),
            },
            _ => {
                next.query.push_str(line);
                next.query.push('\n');
                if line.trim_end().ends_with(';') {
                    end(&mut next);
                }
            }
        }
    }
    end(&mut next);
    assertions
}

/// `set name = default` or `set name: kind = default`; the default may be missing.
fn parameter(comment: &str) -> Option<Parameter> {
    let (declared, default) = comment.strip_prefix("set ")?.split_once('=')?;
    let (name, kind) = match declared.split_once(':') {
        Some((name, kind)) => (name.trim(), Kind::read(kind.trim())?),
        None => (declared.trim(), Kind::Text),
    };
    let default = default.trim();
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    is_name.then(|| Parameter {
        name: name.to_owned(),
        kind,
        default: (!default.is_empty()).then(|| default.to_owned()),
    })
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
    fn parameters_are_filled_in_as_texts_and_asked_for_without_a_default() {
        let read = parse(
            "-- {breaker} opened within {seconds} s\n-- set breaker =\n-- set seconds = 5\n\
             SELECT 1 WHERE {breaker} = 'x' AND {seconds}::DOUBLE > 1;\n-- other\nSELECT {breaker}",
        );
        let [first, second] = read.as_slice() else {
            panic!("{read:?}");
        };
        assert_eq!(first.filled(&[]), Err("--set breaker=…".to_owned()));
        assert_eq!(
            first.listed(),
            "{breaker} opened within {seconds} s  (--set breaker=…, seconds=5)"
        );
        let set: Setting = "breaker=o'neill".parse().expect("a setting");
        let filled = first.filled(&[set]).expect("all said");
        assert_eq!(filled.name, "o'neill opened within 5 s");
        assert_eq!(
            filled.query,
            "SELECT 1 WHERE 'o''neill' = 'x' AND '5'::DOUBLE > 1"
        );
        // What is no parameter of an assertion stays as it is.
        assert_eq!(second.filled(&[]).as_ref(), Ok(second));
        assert!("payment".parse::<Setting>().is_err());
    }

    #[test]
    fn a_parameter_takes_what_its_kind_means() {
        let cases: [(&str, &str, &[&str]); 3] = [
            (
                "count",
                "60",
                &["-3", "0", "1.5", "ten", "", "1e3", "9999999999"],
            ),
            ("whole", "0", &["-1", "0.5", "few"]),
            ("number", "2.5", &["-0.1", "soon", "NaN", "inf", "-3"]),
        ];
        for (kind, fits, others) in cases {
            let read = parameter(&format!("set minutes: {kind} = {fits}"));
            let read = read.expect("a parameter");
            assert_eq!(
                (read.name.as_str(), read.value(&[])),
                ("minutes", Some(fits))
            );
            assert!(read.kind.fits(fits), "{kind} {fits}");
            for other in others {
                assert!(!read.kind.fits(other), "{kind} {other}");
            }
        }
        assert_eq!(parameter("set minutes: colour = 3"), None);
        let plain = parameter("set breaker =").expect("a parameter");
        assert!(plain.kind.fits("-3") && plain.default.is_none());
    }

    #[test]
    fn a_report_shows_rows_and_says_when_it_cuts() {
        let assertion = Assertion {
            name: "none".to_owned(),
            query: String::new(),
            parameters: Vec::new(),
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
        let mut parameters = ready.iter().flat_map(|assertion| &assertion.parameters);
        assert!(parameters.all(|one| one.value(&[]).is_none_or(|value| one.kind.fits(value))));
        assert!(
            ready
                .iter()
                .all(|assertion| assertion.name != assertion.query)
        );
    }
}
