//! Where settings come from.

use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::{Table, Value};

use super::mistakes::{ConfigError, explain, place, spelled};
use super::{Config, PREFIX};

/// Variables with the prefix that are no settings: the file's path, a flag of `import`, and switches for tests.
const NOT_SETTINGS: [&str; 5] = [
    "CONFIG",
    "IMPORT_TOKEN",
    "FAILPOINT",
    "UPDATE",
    "SKIP_BUNDLE",
];

/// What flags set.
#[derive(Debug, Default, Clone)]
pub struct Overrides {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--otlp-grpc`.
    pub otlp_grpc: Option<String>,
    /// `--otlp-http`.
    pub otlp_http: Option<String>,
    /// `--http`.
    pub http: Option<String>,
    /// `--insecure`.
    pub insecure: Option<bool>,
}

/// Reads file, environment and flags into one configuration; each later source wins key by key.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &Overrides,
) -> Result<Config, ConfigError> {
    let mut merged = match file {
        Some(path) => read_file(path)?,
        None => Table::new(),
    };
    if let Some(path) = file {
        check(&merged, &path.display().to_string())?;
    }
    let mut variables: Vec<(String, String)> = environment
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    variables.sort();
    for (name, value) in variables {
        let key = &name[PREFIX.len()..];
        if NOT_SETTINGS.contains(&key) {
            continue;
        }
        let path: Vec<String> = key.split("__").map(str::to_ascii_lowercase).collect();
        let value = variable(&path, &value, &name)?;
        set(&mut merged, &path, value, &name)?;
    }
    for (flag, key, value) in flag_values(flags) {
        let mut alone = Table::new();
        set(&mut alone, key, value.clone(), flag)?;
        check(&alone, flag)?;
        set(&mut merged, key, value, flag)?;
    }
    let config =
        Config::deserialize(Value::Table(merged)).map_err(|error| ConfigError::Invalid {
            origin: "configuration".into(),
            message: explain(&error),
        })?;
    if config.otlp_grpc.is_empty() && config.otlp_http.is_empty() {
        return Err(ConfigError::Invalid {
            origin: "configuration".into(),
            message: "otlp_grpc and otlp_http are both off; at least one must have an address"
                .into(),
        });
    }
    if config
        .ui
        .token
        .as_deref()
        .is_some_and(super::is_placeholder)
    {
        return Err(ConfigError::Invalid {
            origin: "ui.token".into(),
            message:
                "it is empty, or the mask of a printed configuration; leave it out to have none"
                    .into(),
        });
    }
    if let Some((key, message)) = config.unusable() {
        return Err(ConfigError::Invalid {
            origin: key.into(),
            message,
        });
    }
    config
        .receive
        .validate()
        .map_err(|error| ConfigError::Invalid {
            origin: "configuration".into(),
            message: error.to_string(),
        })?;
    Ok(config)
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.into(),
        source,
    })?;
    // Not the line itself: it may hold a secret.
    text.parse()
        .map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: path.into(),
            message: match error.span() {
                Some(span) => format!("{} at {}", error.message(), place(&text, span.start)),
                None => error.message().to_owned(),
            },
        })
}

/// The value of a variable: a number, boolean or array where the setting takes one, else the text itself. A token of
/// digits is text.
fn variable(path: &[String], text: &str, name: &str) -> Result<Value, ConfigError> {
    let fits = |value: &Value| {
        let mut alone = Table::new();
        set(&mut alone, path, value.clone(), name)?;
        check(&alone, name)
    };
    let value = scalar(text);
    let plain = Value::String(text.into());
    match fits(&value) {
        Err(_) if value != plain && fits(&plain).is_ok() => Ok(plain),
        outcome => outcome
            .map(|()| value)
            .map_err(|error| spelled(error, path)),
    }
}

/// Deserialises one source alone, so that a mistake is told with its origin.
fn check(table: &Table, origin: &str) -> Result<(), ConfigError> {
    Config::deserialize(Value::Table(table.clone()))
        .map(|_| ())
        .map_err(|error| ConfigError::Invalid {
            origin: origin.into(),
            message: explain(&error),
        })
}

/// A TOML number, boolean or array where the text is one, else the text itself.
fn scalar(text: &str) -> Value {
    match format!("v = {text}").parse::<Table>() {
        Ok(mut table) if !text.contains('\n') => match table.remove("v") {
            Some(value @ (Value::Integer(_) | Value::Boolean(_) | Value::Array(_))) => value,
            _ => Value::String(text.into()),
        },
        _ => Value::String(text.into()),
    }
}

fn set<S: AsRef<str>>(
    table: &mut Table,
    path: &[S],
    value: Value,
    origin: &str,
) -> Result<(), ConfigError> {
    let (last, parents) = path.split_last().expect("a key has at least one part");
    let mut at = table;
    for part in parents {
        let inner = at
            .entry(part.as_ref())
            .or_insert_with(|| Value::Table(Table::new()));
        at = inner.as_table_mut().ok_or_else(|| ConfigError::Invalid {
            origin: origin.into(),
            message: format!("`{}` is a value, not a table", part.as_ref()),
        })?;
    }
    at.insert(last.as_ref().into(), value);
    Ok(())
}

fn flag_values(flags: &Overrides) -> Vec<(&'static str, &'static [&'static str], Value)> {
    let text = |value: &Option<String>| value.clone().map(Value::String);
    [
        (
            "--data-dir",
            &["data_dir"][..],
            flags
                .data_dir
                .as_ref()
                .map(|p| Value::String(p.display().to_string())),
        ),
        ("--otlp-grpc", &["otlp_grpc"], text(&flags.otlp_grpc)),
        ("--otlp-http", &["otlp_http"], text(&flags.otlp_http)),
        ("--http", &["http"], text(&flags.http)),
        (
            "--insecure",
            &["ui", "insecure"],
            flags.insecure.map(Value::Boolean),
        ),
    ]
    .into_iter()
    .filter_map(|(flag, path, value)| Some((flag, path, value?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    }

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("tripline.toml");
        std::fs::write(&path, text).expect("the file is written");
        (dir, path)
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let (_dir, path) = file(
            "otlp_grpc = 'f:1'\notlp_http = 'f:2'\n[store]\nhot_rows_max = 10\n[sql]\nrows_max = 5\n",
        );
        let environment = env(&[
            ("TRIPLINE_OTLP_HTTP", "e:2"),
            ("TRIPLINE_STORE__HOT_ROWS_MAX", "20"),
            ("OTHER", "x"),
        ]);
        let flags = Overrides {
            otlp_http: Some("c:2".into()),
            ..Overrides::default()
        };
        let config = load(Some(&path), environment, &flags).expect("a good configuration");
        assert_eq!(
            (config.otlp_grpc.as_str(), config.otlp_http.as_str()),
            ("f:1", "c:2")
        );
        assert_eq!((config.store.hot_rows_max, config.sql.rows_max), (20, 5));
        assert_eq!(config.http.port(), 7070);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_a_suggestion_and_its_origin() {
        let (_dir, path) = file("[store]\nhot_row_max = 10\n");
        let error = load(Some(&path), [], &Overrides::default())
            .expect_err("unknown key")
            .to_string();
        assert!(
            error.contains("tripline.toml") && error.contains("did you mean `hot_rows_max`"),
            "{error}"
        );
        let environment = env(&[("TRIPLINE_DATADIR", "/x")]);
        let error = load(None, environment, &Overrides::default())
            .expect_err("unknown key")
            .to_string();
        assert!(
            error.contains("TRIPLINE_DATADIR") && error.contains("did you mean `data_dir`"),
            "{error}"
        );
    }

    #[test]
    fn a_variable_with_one_underscore_too_few_is_told_how_sections_are_named() {
        for (name, is_told) in [
            ("TRIPLINE_LOG_LEVEL", true),
            ("TRIPLINE_STORE__RETENTION_AGES", false),
        ] {
            let error = load(None, env(&[(name, "1")]), &Overrides::default())
                .expect_err("unknown key")
                .to_string();
            assert!(error.contains(name), "{error}");
            assert_eq!(error.contains("two underscores"), is_told, "{error}");
        }
    }

    #[test]
    fn a_wrong_value_names_where_it_stands() {
        let error = load(
            None,
            env(&[("TRIPLINE_STORE__HOT_AGE_MAX", "soon")]),
            &Overrides::default(),
        )
        .expect_err("no length of time")
        .to_string();
        assert!(
            error.starts_with("TRIPLINE_STORE__HOT_AGE_MAX: 'soon' is not a length of time"),
            "{error}"
        );
        let flags = Overrides {
            http: Some("nowhere".into()),
            ..Overrides::default()
        };
        assert!(
            load(None, [], &flags)
                .expect_err("no address")
                .to_string()
                .starts_with("--http: ")
        );
    }

    #[test]
    fn a_wrong_value_in_the_file_is_told_with_its_key() {
        for (text, said) in [
            (
                "[store]\nretention_bytes = '99999999999999999999GiB'\n",
                "more than can be counted (store.retention_bytes)",
            ),
            ("[sql]\nrows_max = 'x'\n", "(sql.rows_max)"),
        ] {
            let (_dir, path) = file(text);
            let error = load(Some(&path), [], &Overrides::default()).expect_err(text);
            assert!(error.to_string().ends_with(said), "{error}");
        }
    }

    #[test]
    fn a_token_of_digits_is_text_and_an_empty_one_opens_no_door() {
        let with = |token: &str| {
            let environment = env(&[
                ("TRIPLINE_UI__TOKEN", token),
                ("TRIPLINE_IMPORT_TOKEN", "x"),
            ]);
            load(None, environment, &Overrides::default())
        };
        let config = with("123456").expect("a token");
        assert_eq!(config.ui.token.as_deref(), Some("123456"));
        for placeholder in ["", " ", "(set)"] {
            let error = with(placeholder).expect_err("no token").to_string();
            assert!(error.starts_with("ui.token: "), "{error}");
        }
    }

    #[test]
    fn a_mistake_in_the_file_is_placed_without_its_text() {
        let (_dir, path) = file("[ui]\ntoken = 'hunter2\n");
        let error = load(Some(&path), [], &Overrides::default())
            .expect_err("no TOML")
            .to_string();
        assert!(
            error.contains("line 2, column") && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[test]
    fn the_pages_are_served_at_a_name_too() {
        let flags = Overrides {
            http: Some("localhost:7171".into()),
            ..Overrides::default()
        };
        let config = load(None, [], &flags).expect("a name of this machine");
        assert!(config.http.ip().is_loopback() && config.http.port() == 7171);
    }

    #[test]
    fn t12_both_protocols_off_is_refused() {
        let environment = env(&[("TRIPLINE_OTLP_GRPC", ""), ("TRIPLINE_OTLP_HTTP", "")]);
        let error = load(None, environment, &Overrides::default())
            .expect_err("t12")
            .to_string();
        assert!(error.contains("at least one"), "{error}");
    }

    #[test]
    fn bounds_that_nothing_can_work_with_are_refused() {
        for (name, value, said) in [
            (
                "TRIPLINE_STORE__QUEUE_BYTES_MAX",
                "0",
                "store.queue_bytes_max: must not be 0",
            ),
            (
                "TRIPLINE_STORE__RETENTION_AGE",
                "0s",
                "store.retention_age: must not be 0",
            ),
            (
                "TRIPLINE_STORE__THREADS",
                "100000",
                "store.threads: must be at most 1024, not 100000",
            ),
            (
                "TRIPLINE_SQL__CONCURRENCY_MAX",
                "0",
                "sql.concurrency_max: must not be 0",
            ),
            ("TRIPLINE_DATA_DIR", "", "data_dir: must name a directory"),
            (
                "TRIPLINE_STORE__COMPACTION_FAN_IN",
                "1",
                "store.compaction_fan_in: must be at least 2, not 1",
            ),
            (
                "TRIPLINE_OTLP_HTTP",
                "127.0.0.1:4317",
                "otlp_http: 127.0.0.1:4317 is the address of otlp_grpc",
            ),
            (
                "TRIPLINE_OTLP_GRPC",
                "127.0.0.1:7070",
                "otlp_grpc: 127.0.0.1:7070 is the address of http",
            ),
            ("TRIPLINE_OTLP_GRPC", "localhost", "otlp_grpc: "),
            ("TRIPLINE_OTLP_HTTP", "127.0.0.1:99999", "otlp_http: "),
        ] {
            let error = load(None, env(&[(name, value)]), &Overrides::default());
            let error = error.expect_err(name).to_string();
            assert!(error.starts_with(said), "{error}");
        }
        let unbounded = env(&[("TRIPLINE_STORE__RETENTION_BYTES", "0")]);
        assert!(load(None, unbounded, &Overrides::default()).is_ok());
        let any_port = ["TRIPLINE_OTLP_GRPC", "TRIPLINE_OTLP_HTTP", "TRIPLINE_HTTP"];
        let any_port = env(&any_port.map(|name| (name, "127.0.0.1:0")));
        assert!(load(None, any_port, &Overrides::default()).is_ok());
    }

    #[test]
    fn rules_for_callees_are_read_printed_and_checked() {
        let rule = "[[resilience.peer]]\nservice = 'shop'\nbreaker = 'back*'\npeer = 'ledger'\n";
        let (_dir, path) = file(rule);
        let config = load(Some(&path), [], &Overrides::default()).expect("a rule");
        let rules = config.store_config().peer_rules;
        assert_eq!((rules.len(), rules[0].peer.as_str()), (1, "ledger"));
        let shown = toml::to_string_pretty(&config).expect("serialisable");
        assert!(shown.contains("[[resilience.peer]]"), "{shown}");
        let (_dir, path) = file(&shown);
        let again = load(Some(&path), [], &Overrides::default()).expect("what was printed");
        assert_eq!(again.resilience, config.resilience);
        for (wrong, said) in [
            ("breaker", "missing field `breaker`"),
            ("callee", "did you mean `peer`"),
            ("empty", "must not be empty"),
        ] {
            let text = match wrong {
                "breaker" => rule.replace("breaker = 'back*'\n", ""),
                "callee" => rule.replace("peer = ", "peers = "),
                _ => rule.replace("'ledger'", "' '"),
            };
            let (_dir, path) = file(&text);
            let error = load(Some(&path), [], &Overrides::default()).expect_err(wrong);
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn what_stands_in_the_wrong_place_is_not_repeated() {
        let variables = [
            ("TRIPLINE_RECEIVE__AUTH__CREDENTIALS", "hunter2"),
            ("TRIPLINE_RECEIVE__AUTH__CREDENTIALS", "['hunter2']"),
            ("TRIPLINE_UI", "hunter2"),
            ("TRIPLINE_RECEIVE__AUTH__CREDENTIALS", "[8675309]"),
        ];
        let errors =
            variables.map(|(name, value)| load(None, env(&[(name, value)]), &Overrides::default()));
        // Without quotes a token of digits is a number.
        let files = ["[ui]\ntoken = 8675309\n", "[ui]\ntoken = 8675.309\n"].map(|text| {
            let (_dir, path) = file(text);
            load(Some(&path), [], &Overrides::default())
        });
        for error in errors.into_iter().chain(files) {
            let error = error.expect_err("it is in the wrong place").to_string();
            let is_told = ["hunter2", "8675"].iter().any(|it| error.contains(it));
            assert!(!is_told && error.contains("expected"), "{error}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let config = load(
            None,
            env(&[("TRIPLINE_UI__TOKEN", "hunter2")]),
            &Overrides::default(),
        )
        .expect("good");
        assert_eq!(config.ui.token.as_deref(), Some("hunter2"));
        let shown = toml::to_string(&config).expect("serialisable");
        assert!(
            !shown.contains("hunter2") && shown.contains("(set)"),
            "{shown}"
        );
    }
}
