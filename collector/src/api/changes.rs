//! Changes people report: deploys, flags, settings. Each becomes a log event `tripline.change`, so that one
//! sent through OTLP counts the same: `change.kind` is an attribute, the body says what it was. The service it is about
//! is that of the resource, as `change.service` would say; a change without one is about every service.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use tripline_storage::attributes::AttributesWriter;
use tripline_storage::ingest::{
    Batch, LogColumns, LogRow, REPORTED_SCHEMA, ResourceRow, Rows, ScopeRow,
};
use tripline_storage::model::{Change, Page};
use tripline_storage::query::{self, CHANGE_EVENT};

use super::AppState;
use super::endpoints::{Answer, known};
use super::paging::Paging;
use super::params::Params;
use super::problem::Problem;
use super::when::now_ns;

/// What is reported.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// `deploy`, `flag`, `config` or any other word.
    kind: String,
    /// What changed, in words.
    description: String,
    /// The service it is about.
    service: Option<String>,
    /// Its new version.
    version: Option<String>,
    /// Its environment.
    environment: Option<String>,
    /// When; now unless said. A number, or a string as answers have it.
    #[serde(default, deserialize_with = "nanoseconds")]
    time_unix_nano: Option<u64>,
}

/// Longest text of a report, characters.
const TEXT_MAX: usize = 2_000;

/// A count of nanoseconds beyond what JSON's numbers hold exactly is a string in answers; both are read.
fn nanoseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "time_unix_nano is nanoseconds since 1970, as a number or a string"
    )]
    enum Written {
        Number(u64),
        Text(String),
    }
    match Option::<Written>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::Number(number)) => Ok(Some(number)),
        Some(Written::Text(text)) => text.parse().map(Some).map_err(|_| {
            D::Error::custom("time_unix_nano is nanoseconds since 1970, as a number or a string")
        }),
    }
}

/// `POST /changes`.
pub async fn report(
    State(state): State<AppState>,
    report: Result<Json<Report>, axum::extract::rejection::JsonRejection>,
) -> Result<(StatusCode, Json<Change>), Problem> {
    let Json(report) = report.map_err(|error| Problem::parameter("body", error.body_text()))?;
    let texts = [
        Some(&report.kind),
        Some(&report.description),
        report.service.as_ref(),
        report.version.as_ref(),
    ];
    for text in texts.into_iter().flatten() {
        if text.trim().is_empty() || text.chars().count() > TEXT_MAX {
            return Err(Problem::parameter(
                "body",
                format!("each text has 1 to {TEXT_MAX} characters"),
            ));
        }
    }
    let now = now_ns();
    let time = report.time_unix_nano.unwrap_or(now);
    state
        .store
        .append(batch(&report, time, now))
        .await
        .map_err(|error| {
            tracing::warn!(%error, "a reported change was not stored");
            Problem::busy()
        })?;
    let change = Change {
        time_unix_nano: i64::try_from(time).unwrap_or(i64::MAX),
        service_name: report.service,
        kind: report.kind,
        description: report.description,
        evidence: "reported".to_owned(),
    };
    Ok((StatusCode::CREATED, Json(change)))
}

fn batch(report: &Report, time: u64, now: u64) -> Batch {
    let mut of_resource = AttributesWriter::new();
    of_resource.begin_object();
    for (key, value) in [
        ("service.name", &report.service),
        ("service.version", &report.version),
        ("deployment.environment.name", &report.environment),
    ] {
        if let Some(value) = value {
            of_resource.fixed_key(key);
            of_resource.string(value);
        }
    }
    of_resource.end();
    let mut of_event = AttributesWriter::new();
    of_event.begin_object();
    of_event.fixed_key("change.kind");
    of_event.string(&report.kind);
    of_event.end();
    let mut logs = LogColumns::default();
    logs.push(&LogRow {
        time_unix_nano: time,
        observed_unix_nano: now,
        arrival_unix_nano: now,
        severity_number: 9,
        severity_text: "INFO",
        event_name: CHANGE_EVENT,
        body: Some(&report.description),
        body_type: Some("string"),
        attributes: of_event.as_str(),
        ..LogRow::default()
    });
    Batch {
        resources: vec![ResourceRow {
            service_name: report.service.clone(),
            service_version: report.version.clone(),
            environment: report.environment.clone(),
            attributes: of_resource.as_str().to_owned(),
            schema_url: Some(REPORTED_SCHEMA.to_owned()),
            ..ResourceRow::default()
        }],
        scopes: vec![ScopeRow {
            name: "tripline".to_owned(),
            attributes: "{}".to_owned(),
            ..ScopeRow::default()
        }],
        rows: Rows::Logs(logs),
        bytes: 1_000 + report.description.len(),
    }
}

/// `GET /changes`: reported ones, oldest first; with `service` those of it and those of none.
pub async fn list(State(state): State<AppState>, params: Params) -> Answer<Page<Change>> {
    known(&params, &["service", "cursor"])?;
    let mut question = params.changes()?;
    let paging = Paging::of(&params, &mut question.limit)?;
    let found = state
        .ask(move |session| query::changes(session, &question))
        .await?;
    Ok(Json(paging.cut(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_or_a_string_as_answers_have_it() {
        let time = |time: &str| {
            let text = format!(r#"{{"kind":"k","description":"d"{time}}}"#);
            serde_json::from_str::<Report>(&text).map(|report| report.time_unix_nano)
        };
        let at = Some(1_700_000_000_000_000_001);
        for (text, expected) in [
            ("", None),
            (r#","time_unix_nano":null"#, None),
            (r#","time_unix_nano":1700000000000000001"#, at),
            (r#","time_unix_nano":"1700000000000000001""#, at),
        ] {
            assert_eq!(time(text).expect(text), expected);
        }
        for wrong in ["-1", "1.5", "true", "\"\"", "\"yesterday\"", "\"-1\""] {
            let error = time(&format!(r#","time_unix_nano":{wrong}"#)).expect_err(wrong);
            assert!(
                error.to_string().contains("as a number or a string"),
                "{error}"
            );
        }
    }
}
