//! The text as DuckDB's own parser sees it.
//!
//! `json_serialize_sql` of a private in-memory instance: it has no data, no access to anything outside, and
//! the same parser as the store (same library, same settings), so the same text gives the same tree. It
//! serialises queries only; that alone refuses COPY, ATTACH, SET and their like.

use std::sync::{LazyLock, Mutex, PoisonError};

use duckdb::{Config, Connection};
use serde_json::Value;

use super::{Refusal, tree};

/// Nesting of the tree's JSON beyond which a text is refused. An expression level costs about four.
const DEPTH_MAX: usize = 1_600;
/// Nesting of expressions DuckDB's parser accepts here (its default is 1,000).
const EXPRESSION_DEPTH_MAX: u32 = 300;

static PARSER: LazyLock<Mutex<Result<Connection, String>>> =
    LazyLock::new(|| Mutex::new(open().map_err(|error| error.to_string())));

fn open() -> duckdb::Result<Connection> {
    let config = Config::default()
        .threads(1)?
        .max_memory("64MB")?
        .enable_external_access(false)?;
    let connection = Connection::open_in_memory_with_flags(config)?;
    connection.execute_batch(&format!(
        "SET max_expression_depth TO {EXPRESSION_DEPTH_MAX}"
    ))?;
    Ok(connection)
}

/// The statements of `text` as trees; each has a `node`.
pub(super) fn parse(text: &str) -> Result<Vec<Value>, Refusal> {
    let json = serialize(text)?;
    let Some(mut answer) = tree::read(&json, DEPTH_MAX) else {
        return Err(Refusal::refused("the statement is nested too deeply", None));
    };
    if answer["error"] != Value::Bool(false) {
        return Err(parser_error(text, &answer));
    }
    match answer["statements"].take() {
        Value::Array(statements) => Ok(statements),
        _ => Err(Refusal::refused("the statement's tree is unreadable", None)),
    }
}

fn serialize(text: &str) -> Result<String, Refusal> {
    let parser = PARSER.lock().unwrap_or_else(PoisonError::into_inner);
    let connection = parser.as_ref().map_err(|error| {
        Refusal::refused(format!("the SQL parser is unavailable: {error}"), None)
    })?;
    connection
        .prepare_cached(
            "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true, skip_default := true)::VARCHAR",
        )
        .and_then(|mut statement| statement.query_row([text], |row| row.get(0)))
        .map_err(|error| Refusal::Syntax { message: first_line(&error.to_string()), position: None })
}

fn parser_error(text: &str, answer: &Value) -> Refusal {
    let message = answer["error_message"].as_str().unwrap_or("unknown error");
    if answer["error_type"] == "parser" || answer["error_type"] == "syntax" {
        let position = answer["position"]
            .as_str()
            .and_then(|position| position.parse().ok());
        return Refusal::Syntax {
            message: first_line(message),
            position,
        };
    }
    if message.contains("Only SELECT") {
        if super::tokens::tokens(text)
            .iter()
            .any(|token| token.is(text, "PIVOT"))
        {
            return Refusal::refused(
                "a PIVOT that begins neither the statement nor what stands in parentheses has to name its values: PIVOT … ON x IN (…)",
                None,
            );
        }
        let keyword = super::tokens::first_keyword(text).unwrap_or_else(|| "this".to_owned());
        return Refusal::refused(
            format!("{keyword} statements are not allowed; only one query that reads is"),
            Some(0),
        );
    }
    Refusal::refused(first_line(message), None)
}

/// DuckDB appends suggestions and excerpts on further lines.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}
