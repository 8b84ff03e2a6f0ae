//! What went wrong with a query, as a problem document.

use axum::http::StatusCode;
use tripline_storage::sql::SqlError;

use super::mark::marked;
use crate::api::problem::Problem;

/// What an error looks like from outside.
pub(crate) fn problem(error: SqlError, text: &str) -> Problem {
    let detail = error.to_string();
    match error {
        SqlError::Refused { position, .. } => located(
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "sql-refused",
                "The query is not allowed",
                detail,
            ),
            text,
            position,
        ),
        SqlError::Syntax { position, .. } => located(
            Problem::new(
                StatusCode::BAD_REQUEST,
                "sql-syntax",
                "The query is not SQL",
                detail,
            ),
            text,
            position,
        ),
        SqlError::Invalid { .. } => {
            let position = marked(&detail, text);
            located(
                Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "sql-invalid",
                    "The query cannot be answered",
                    detail,
                ),
                text,
                position,
            )
        }
        SqlError::Unsupported { .. } => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "sql-unsupported",
            "The format cannot hold the result",
            detail,
        ),
        SqlError::Deadline { .. } => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "sql-deadline",
            "The query took too long",
            detail,
        ),
        SqlError::Memory { .. } => Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "sql-memory",
            "The query needs too much memory",
            detail,
        ),
        SqlError::Busy { retry_after, .. } => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "sql-busy",
            "Too many queries run",
            detail,
        )
        .retry_after(retry_after),
        SqlError::Failed { source } => {
            tracing::error!(error = %source, "a query failed in the engine");
            Problem::internal()
        }
        SqlError::Damaged => Problem::segment_damaged(),
        SqlError::Gone => Problem::internal(),
    }
}

/// With line and column, from 1, for people and editors.
fn located(problem: Problem, text: &str, position: Option<usize>) -> Problem {
    let Some(before) = position.and_then(|position| text.get(..position)) else {
        return problem;
    };
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    problem
        .with("position", before.len())
        .with("line", line)
        .with("column", column)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_kind_of_error_is_a_type_of_its_own() {
        let text = "SELECT 1,\n getenv('x')";
        let refused = problem(
            SqlError::Refused {
                reason: "no".into(),
                position: Some(11),
            },
            text,
        );
        assert_eq!(
            (
                refused.kind,
                refused.members["line"].as_u64(),
                refused.members["column"].as_u64()
            ),
            ("sql-refused", Some(2), Some(2))
        );
        let invalid = problem(
            SqlError::Invalid {
                message: "Catalog Error: no\n\nLINE 2:  getenv('x')\n         ^^^^^^^^^^^".into(),
            },
            text,
        );
        let place = ["position", "line", "column"].map(|name| invalid.members[name].as_u64());
        assert_eq!(place, [Some(11), Some(2), Some(2)]);
        let kinds = [
            problem(
                SqlError::Syntax {
                    message: String::new(),
                    position: None,
                },
                text,
            )
            .kind,
            problem(
                SqlError::Deadline {
                    limit: Duration::ZERO,
                },
                text,
            )
            .kind,
            problem(
                SqlError::Memory {
                    what: String::new(),
                },
                text,
            )
            .kind,
            problem(
                SqlError::Busy {
                    running: 4,
                    retry_after: Duration::from_secs(1),
                },
                text,
            )
            .kind,
            problem(
                SqlError::Invalid {
                    message: String::new(),
                },
                text,
            )
            .kind,
        ];
        assert_eq!(
            kinds,
            [
                "sql-syntax",
                "sql-deadline",
                "sql-memory",
                "sql-busy",
                "sql-invalid"
            ]
        );
    }
}
