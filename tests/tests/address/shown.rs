//! Numbers of a page and what they stand on: the range and scope they obey, what rates are over, what is a sample, and
//! the SQL of instances and versions.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::how::{how_after, sum};
use super::{SECOND, call, send_spans};
use crate::dashboard::plant;
use crate::harness::{Tripline, now, text};
use crate::pages::{says, seed};

/// A second of the past that whole buckets of ten begin with.
fn whole_ago(seconds: u64) -> u64 {
    (now() / SECOND - seconds) / 10 * 10 * SECOND
}

/// `12.4`, as pages write a number.
fn digits(value: f64) -> String {
    let decimals = match value {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// The number in a cell, however JSON has it.
fn number(cell: &Value) -> f64 {
    let text = cell.as_str().and_then(|text| text.parse().ok());
    cell.as_f64().or(text).unwrap_or(f64::NAN)
}

/// What stands between two marks.
fn between<'a>(html: &'a str, from: &str, to: &str) -> Result<&'a str> {
    let (_, rest) = html
        .split_once(from)
        .with_context(|| format!("no {from}\n{html}"))?;
    Ok(rest.split(to).next().unwrap_or(rest))
}

#[tokio::test]
async fn a_rate_is_over_the_range_as_far_as_spans_can_be_of_it_and_says_so() -> Result<()> {
    let server = Tripline::start().await?;
    // The first span of all is another's, and old; sixty calls lie in the five minutes before the last.
    let first = whole_ago(1_200);
    send_spans(
        &server,
        &[("service.name", "old")],
        &[call(900, "GET /old", first, 10, false)],
    )
    .await?;
    let begin = first + 600 * SECOND;
    let calls: Vec<Value> = (0..60)
        .map(|at| call(at, "GET /", begin + at * 5 * SECOND, 10, false))
        .collect();
    send_spans(&server, &[("service.name", "cart")], &calls).await?;
    let note = "Rates are over ";
    let rate_of = async |range: &str| -> Result<(f64, f64)> {
        let listed = server.get(&format!("/api/v1/services?{range}")).await?;
        let mut items = listed["items"].as_array().context("services")?.iter();
        let cart = items
            .find(|item| item["service_name"] == "cart")
            .context("cart")?;
        Ok((
            number(&cart["rate_per_second"]),
            number(&cart["rate_seconds"]),
        ))
    };
    // A range of the past: all of it, whatever others sent when.
    let closed = format!("from={begin}&to={}", begin + 300 * SECOND);
    assert_eq!(rate_of(closed.as_str()).await?, (0.2, 300.0));
    for path in ["/", "/services/cart"] {
        let html = says(&server, &format!("{path}?{closed}"), &["0.2/s"]).await?;
        ensure!(!html.contains(note), "{path}\n{html}");
        let mark = if path == "/" {
            "Services</h2>"
        } else {
            "aria-label=\"In this range\""
        };
        let rows = server.sql(&how_after(&html, mark)?).await?;
        let row = rows.iter().find(|row| row[3] == "cart").context("cart")?;
        ensure!((number(&row[7]) - 0.2).abs() < 1e-9, "{row:?}");
    }
    // One that begins before anything was stored: from then on.
    let early = format!(
        "from={}&to={}",
        first - 3_600 * SECOND,
        begin + 300 * SECOND
    );
    let (rate, seconds) = rate_of(early.as_str()).await?;
    ensure!(
        seconds == 900.0 && (rate - 60.0 / 900.0).abs() < 1e-9,
        "{rate} {seconds}"
    );
    for path in ["/", "/services/cart", "/graph"] {
        says(
            &server,
            &format!("{path}?{early}"),
            &["Rates are over 15 min of this range: from the oldest span stored to now at the latest."],
        )
        .await?;
    }
    // One that is not over: until now.
    let open = format!("from={begin}&to={}", now() + 3_600 * SECOND);
    let (rate, seconds) = rate_of(open.as_str()).await?;
    ensure!((600.0..900.0).contains(&seconds), "{seconds}");
    ensure!((rate * seconds - 60.0).abs() < 1e-6, "{rate} {seconds}");
    Ok(())
}

#[tokio::test]
async fn the_cards_of_the_overview_are_of_its_range_and_scope_and_so_is_their_sql() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    plant(&server).await?;
    let (from, to) = (now() - 1_800 * SECOND, now());
    let before = format!("from={}&to={from}", from - 1_800 * SECOND);
    let range = format!("from={from}&to={to}");
    for (question, cards) in [
        (range.clone(), [63.0, 1.0, 2.0, 4.0]),
        (format!("{range}&environment=canary"), [20.0, 0.0, 0.0, 1.0]),
        (before, [0.0; 4]),
    ] {
        let html = says(&server, &format!("/?{question}"), &["Metric points"]).await?;
        let mut rest = between(&html, "id=\"stored\"", "</section>")?;
        for (name, card) in ["Spans", "Log records", "Metric points", "Services"]
            .into_iter()
            .zip(cards)
        {
            let (_, part) = rest
                .split_once(&format!("<span class=\"figure-name\">{name}</span>"))
                .with_context(|| format!("no {name}\n{rest}"))?;
            ensure!(
                part.contains(&format!("<span class=\"figure-value\">{card}</span>")),
                "{question}: {name} is not {card}\n{part}"
            );
            let sql = how_after(part, "figure-detail")?;
            assert_eq!(sum(&server, &sql, 0).await?, card, "{sql}");
            rest = part;
        }
    }
    Ok(())
}

/// Forty calls of each of two versions, each of two instances; of the second version those of one instance fail and a
/// sampler kept one in ten of the others.
async fn versions(server: &Tripline, begin: u64) -> Result<()> {
    for (version, instance, from, is_bad) in [
        ("1.0", "a-1", 0, false),
        ("1.0", "a-2", 20, false),
        ("2.0", "a-1", 40, false),
        ("2.0", "a-2", 60, true),
    ] {
        let spans: Vec<Value> = (from..from + 20)
            .map(|at| {
                let length = 10 + at * 7 % 50;
                let mut span = call(at, "GET /", begin + at * 2 * SECOND, length, is_bad);
                span["traceState"] = json!(if is_bad {
                    "ot=th:0"
                } else {
                    "ot=th:e6666666666666"
                });
                span
            })
            .collect();
        let resource = [
            ("service.name", "shop"),
            ("service.version", version),
            ("service.instance.id", instance),
        ];
        send_spans(server, &resource, &spans).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_sql_behind_versions_and_instances_gives_what_is_shown() -> Result<()> {
    let server = Tripline::start().await?;
    let begin = whole_ago(600);
    versions(&server, begin).await?;
    // It begins and ends within a bucket of the roll-ups.
    let range = format!("from={}&to={}", begin + 7 * SECOND, begin + 133 * SECOND);
    let html = says(
        &server,
        &format!("/services/shop?{range}"),
        &["Versions side by side", "Instances"],
    )
    .await?;
    // Name, calls, and the first of three quantiles.
    for (panel, at, columns) in [
        ("id=\"versions\"", 0, [3, 7, 8]),
        ("id=\"instances\"", 3, [6, 10, 11]),
    ] {
        let sql = how_after(&html, panel)?;
        let rows = server.sql(&sql).await?;
        ensure!(rows.len() == 2, "{sql}: {rows:?}");
        let shown = between(&html, panel, "</table>")?;
        for row in &rows {
            let name = row[at].as_str().context("a name")?;
            let mut lines = shown
                .split("<tr>")
                .filter(|line| line.contains(&format!(">{name}<")));
            let line = lines
                .next()
                .with_context(|| format!("no {name}\n{shown}"))?;
            let [calls, p50, p95] = columns.map(|column| number(&row[column]));
            for cell in [
                format!(">{calls}<"),
                format!(">{} ms<", digits(p50)),
                format!(">{} ms<", digits(p95)),
            ] {
                ensure!(line.contains(&cell), "{name}: no {cell}\n{line}\n{row:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn durations_of_a_sample_say_that_they_are_of_the_recorded_spans() -> Result<()> {
    let server = Tripline::start().await?;
    versions(&server, whole_ago(600)).await?;
    let note = "durations are of the spans that were recorded, each counted once";
    for path in ["/", "/services/shop"] {
        let html = says(&server, path, &["shop", note]).await?;
        let mark = if path == "/" {
            "Services</h2>"
        } else {
            "aria-label=\"In this range\""
        };
        let sql = how_after(&html, mark)?;
        ensure!(
            sql.contains("-- Durations are of the spans that were recorded"),
            "{sql}"
        );
    }
    // Where every call is kept there is nothing to say.
    seed(&server).await?;
    let html = says(&server, "/services/checkout", &["POST /checkout"]).await?;
    ensure!(!html.contains(note), "{html}");
    Ok(())
}

#[tokio::test]
async fn a_service_is_copied_with_its_numbers_and_an_instance_nobody_reports_is_not_none()
-> Result<()> {
    let server = Tripline::start().await?;
    let begin = whole_ago(600);
    versions(&server, begin).await?;
    plant(&server).await?;
    let range = format!("from={begin}&to={}", begin + 160 * SECOND);
    let html = says(&server, &format!("/services/shop?{range}"), &["GET /"]).await?;
    let copied = between(&html, "id=\"this-page\"", "</div>")?;
    for words in [
        "# shop",
        "## In this range",
        "| scope | rate | calls | errors | failed |",
        "20 of 80 recorded failed, which stand for 20 of 620",
        "| GET / | 80 |",
        "| 2.0 | 40 |",
        "| a-2 | 40 | ",
    ] {
        ensure!(copied.contains(words), "{words}\n{copied}");
    }
    let html = says(&server, "/services/cart?environment=prod", &["40 calls"]).await?;
    let figure = between(
        &html,
        "<span class=\"figure-name\">Instances</span>",
        "</div>",
    )?;
    ensure!(
        figure.contains("<span class=\"figure-value\">not reported</span>"),
        "{figure}"
    );
    Ok(())
}

#[tokio::test]
async fn exemplars_that_are_not_drawn_are_counted() -> Result<()> {
    let server = Tripline::start().await?;
    let begin = whole_ago(120);
    // Three streams with a hundred and one exemplars each.
    let points: Vec<Value> = (0..3_u64)
        .map(|stream| {
            let exemplars: Vec<Value> = (0..101_u64)
                .map(|at| {
                    let time = begin + at * 100_000_000;
                    json!({"timeUnixNano": time.to_string(), "asDouble": 0.2, "spanId": format!("{:016x}", at + 1),
                        "traceId": format!("{:032x}", stream * 1_000 + at + 1)})
                })
                .collect();
            json!({"startTimeUnixNano": begin.to_string(), "timeUnixNano": (begin + 20 * SECOND).to_string(), "count": "101",
                "sum": 20.2, "bucketCounts": ["101"], "exemplars": exemplars, "attributes": [text("queue", &stream.to_string())]})
        })
        .collect();
    let body = json!({"resourceMetrics": [{"resource": {"attributes": [text("service.name", "shop")]},
        "scopeMetrics": [{"metrics": [{"name": "wait", "unit": "s",
            "histogram": {"aggregationTemporality": 2, "dataPoints": points}}]}]}]});
    server.send("metrics", &body).await?;
    says(
        &server,
        "/explore?metric=wait&show=max",
        &["200 of 303 exemplars are drawn"],
    )
    .await?;
    Ok(())
}
