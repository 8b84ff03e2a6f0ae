//! `/sql`: an editor, the relations one may ask, and the answer as a table. Works without script: a form.

mod drawing;

use leptos::prelude::*;

use crate::address::{href, segment};
use crate::frame::{Frame, SavedPage};
use crate::islands::SqlEditor;
pub use crate::islands::sql_words::Relation;
use crate::parts::{WayOn, failure, kept_fields, nothing, saved_page, text_as_html};
use crate::units;

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct SqlPage {
    /// The text in the editor.
    pub query: String,
    /// What came of it, if it was run.
    pub outcome: Option<SqlOutcome>,
    /// What may be asked.
    pub relations: Vec<Relation>,
    /// How much of it.
    pub limits: SqlLimits,
}

/// The bounds of a query, as they are configured.
#[derive(Debug, Clone, Copy, Default)]
pub struct SqlLimits {
    /// Time a query of the page may take.
    pub timeout_ns: u64,
    /// Most that the API may ask for.
    pub timeout_max_ns: u64,
    /// Rows that the page shows.
    pub rows_shown: u64,
    /// Rows of a file.
    pub rows_file: u64,
    /// Most rows that the API may ask for.
    pub rows_max: u64,
    /// Bytes of a result.
    pub bytes_max: u64,
    /// Memory of the engine at which the query that runs longest is stopped.
    pub memory_bytes_max: u64,
    /// Queries at once.
    pub concurrent_max: u64,
}

/// Whether the address of a page is one of this.
pub fn is_query(path: &str) -> bool {
    path == "/sql" || path.starts_with("/sql?")
}

/// What came of a query.
#[derive(Debug, Clone)]
pub enum SqlOutcome {
    /// Rows.
    Table(SqlTable),
    /// It was refused or failed: what kind of failure, and why.
    Failed {
        /// `refused`, `syntax`, `deadline`, `memory`, …
        title: String,
        /// In words.
        detail: String,
        /// It is the query that is wrong: run again, it fails again.
        is_refused: bool,
    },
}

/// Rows of text, as the API writes them.
#[derive(Debug, Clone, Default)]
pub struct SqlTable {
    /// Name and type of each column.
    pub columns: Vec<(String, String)>,
    /// Values; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// There were more rows.
    pub truncated: bool,
    /// How long it took.
    pub elapsed_ms: u64,
}

const EXAMPLES: [(&str, &str); 4] = [
    (
        "Slowest spans",
        "SELECT start_time, service_name, name, duration_ns / 1e6 AS ms, trace_id\nFROM spans\nWHERE start_time > now() - INTERVAL 1 HOUR\nORDER BY duration_ns DESC\nLIMIT 50",
    ),
    (
        "Errors by route",
        "SELECT service_name, attributes.\"http.route\" AS route, count(*) AS calls, count(*) FILTER (status_code = 'error') AS failed\nFROM spans\nWHERE kind = 'server'\nGROUP BY ALL\nORDER BY failed DESC\nLIMIT 50",
    ),
    (
        "Logs with their trace",
        "SELECT time, severity_text, service_name, body, trace_id\nFROM logs\nWHERE severity_number >= 17\nORDER BY time DESC\nLIMIT 100",
    ),
    (
        "Who calls whom",
        "SELECT caller, callee, kind, sum(calls) AS calls, sum(error_weight) / sum(weight) AS error_share\nFROM service_edges\nGROUP BY ALL\nORDER BY calls DESC",
    ),
];

/// The page.
pub fn sql(data: &SqlPage, frame: &Frame) -> AnyView {
    let examples = EXAMPLES
        .iter()
        .map(|(name, query)| view! { <a href=frame.link("/sql", &[("q", query)])>{*name}</a> })
        .collect_view();
    view! {
        <h1 class="visually-hidden">"SQL"</h1>
        <div class="sql">
            <section class="panel schema"><h2>"Relations"</h2>{schema(data)}</section>
            <div class="sql-main">
                <section class="panel">
                    <form method="get" action="/sql" class="stack">
                        {kept_fields(frame)}
                        <SqlEditor html=text_as_html(&data.query) relations=data.relations.clone()/>
                        <div class="panel-head">
                            <p class="quiet">"Read only; one statement." <span class="needs-wasm">" "<kbd>"Ctrl"</kbd>" "<kbd>"Space"</kbd>" completes."</span></p>
                            <button class="button">"Run"</button>
                        </div>
                    </form>
                    <p class="note" id="sql-limits">{limits(&data.limits)}</p>
                    <nav class="tabs" aria-label="Examples">{examples}</nav>
                    {saved_queries(data, frame)}
                </section>
                <section class="panel">{outcome(data, frame)}</section>
            </div>
        </div>
    }
    .into_any()
}

/// The bounds in words.
fn limits(limits: &SqlLimits) -> String {
    format!(
        "Limits: {} (the API may ask for {}); {} shown, {} in a file, {} by the API; {} of result; {} at once. \
         When the engine holds {}, the query that has run longest is stopped.",
        units::duration(limits.timeout_ns),
        units::duration(limits.timeout_max_ns),
        units::counted(limits.rows_shown, "row"),
        units::count(limits.rows_file),
        units::count(limits.rows_max),
        units::bytes(limits.bytes_max),
        limits.concurrent_max,
        units::bytes(limits.memory_bytes_max)
    )
}

/// Saved views that are queries, and the way to save this one.
fn saved_queries(data: &SqlPage, frame: &Frame) -> AnyView {
    let queries: Vec<&SavedPage> = frame
        .saved
        .iter()
        .filter(|page| is_query(&page.path))
        .collect();
    let list = if queries.is_empty() {
        view! { <p class="quiet">"None yet. Run a query and give it a name."</p> }.into_any()
    } else {
        let queries = queries.into_iter().map(saved_page).collect_view();
        view! { <ul>{queries}</ul> }.into_any()
    };
    let has_run = frame.bundle.is_none() && !data.query.trim().is_empty();
    let save = has_run.then(|| {
        view! {
            <form method="post" action="/views" class="filters inline">
                <input type="hidden" name="path" value=frame.with(&[])/>
                <input name="name" placeholder="Name of this query" aria-label="Name of this query" maxlength="120" required/>
                <button class="button">"Save this query"</button>
            </form>
        }
    });
    view! { <div class="saved" id="saved-queries"><h2>"Saved queries"</h2>{list}{save}</div> }
        .into_any()
}

fn schema(data: &SqlPage) -> AnyView {
    data.relations
        .iter()
        .map(|(name, columns)| {
            let columns = columns
                .iter()
                .map(|(column, kind)| view! { <li><code>{column.clone()}</code> " " <span class="quiet">{kind.to_lowercase()}</span></li> })
                .collect_view();
            view! { <details><summary><code>{name.clone()}</code></summary><ul>{columns}</ul></details> }
        })
        .collect_view()
        .into_any()
}

fn outcome(data: &SqlPage, frame: &Frame) -> AnyView {
    match &data.outcome {
        None => nothing("Nothing was run yet.", "Write a query or take an example."),
        Some(SqlOutcome::Failed {
            title,
            detail,
            is_refused,
        }) => {
            // A query that is wrong is wrong again: it is put right in the editor above.
            let way = (!is_refused).then(|| WayOn::again(frame));
            failure(title, detail, way)
        }
        Some(SqlOutcome::Table(table)) => {
            let links = [
                ("csv", "CSV"),
                ("json", "JSON"),
                ("parquet", "Parquet"),
                ("arrow", "Arrow"),
            ]
            .map(|(format, word)| {
                let link = href(&format!("/export/sql.{format}"), &[("q", &data.query)]);
                view! { <a href=link download>{word}</a> " " }
            });
            let picture = (frame.param("as") == Some("chart")).then(|| {
                drawing::drawing(table).unwrap_or_else(|| {
                    nothing(
                        "These columns make no chart.",
                        "A chart needs a number, and a time or a word to draw it by.",
                    )
                })
            });
            let is_chart = picture.is_some();
            let tabs = [("", "Table"), ("chart", "Chart")].map(|(value, word)| {
                let current = (is_chart == (value == "chart")).then_some("page");
                view! { <a href=frame.with(&[("as", value)]) aria-current=current>{word}</a> }
            });
            let body = picture.unwrap_or_else(|| result_table(table, frame));
            view! { <nav class="tabs" aria-label="Table or chart">{tabs.into_iter().collect_view()}</nav> {body} <p class="note">"Download " {links.into_iter().collect_view()}</p> }.into_any()
        }
    }
}

fn is_numeric(kind: &str) -> bool {
    let kind = kind.to_ascii_uppercase();
    ["INT", "DOUBLE", "FLOAT", "DECIMAL", "REAL"]
        .iter()
        .any(|word| kind.contains(word))
        && !kind.contains("INTERVAL")
}

fn result_table(table: &SqlTable, frame: &Frame) -> AnyView {
    let class_of = |at: usize| {
        table
            .columns
            .get(at)
            .filter(|(_, kind)| is_numeric(kind))
            .map(|_| "num")
    };
    let head = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, (name, kind))| view! { <th class=class_of(at) title=kind.clone()>{name.clone()}</th> })
        .collect_view();
    let traces = table
        .columns
        .iter()
        .position(|(name, _)| name == "trace_id");
    let rows = table
        .rows
        .iter()
        .map(|row| {
            let trace = traces.and_then(|at| row.get(at)?.as_deref());
            let cells = row
                .iter()
                .enumerate()
                .map(|(at, value)| {
                    let column = table.columns.get(at).map_or("", |(name, _)| name.as_str());
                    let value = cell(column, value.as_deref(), trace, frame);
                    view! { <td class=class_of(at)>{value}</td> }
                })
                .collect_view();
            view! { <tr>{cells}</tr> }
        })
        .collect_view();
    let cut = if table.truncated {
        ", cut here: there are more"
    } else {
        ""
    };
    let note = format!(
        "{} in {} ms{cut}",
        units::counted(table.rows.len() as u64, "row"),
        table.elapsed_ms
    );
    view! { <p class="note">{note}</p><div class="scroll tall"><table class="list sql-result"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div> }.into_any()
}

/// Ids are links; a span is found by its trace, that of the same row.
fn cell(column: &str, value: Option<&str>, trace: Option<&str>, frame: &Frame) -> AnyView {
    let trace = trace.filter(|id| id.len() == 32);
    match (column, value) {
        (_, None) => view! { <span class="quiet">"NULL"</span> }.into_any(),
        ("span_id" | "parent_span_id", Some(id)) if id.len() == 16 && trace.is_some() => {
            let path = format!("/traces/{}", segment(trace.unwrap_or_default()));
            let link = frame.link(&path, &[("span", id)]);
            view! { <a href=link><code class="id">{id.to_owned()}</code></a> }.into_any()
        }
        // A plan is drawn with lines: they must stay on one.
        ("explain_value", Some(text)) => {
            view! { <span class="cell plan">{text.to_owned()}</span> }.into_any()
        }
        ("trace_id", Some(id)) if id.len() == 32 => {
            let link = frame.link(&format!("/traces/{}", segment(id)), &[]);
            view! { <a href=link><code class="id">{id.to_owned()}</code></a> }.into_any()
        }
        ("service_name" | "caller", Some(name)) => crate::parts::service_link(frame, Some(name)),
        (_, Some(text)) => view! { <span class="cell">{text.to_owned()}</span> }.into_any(),
    }
}
