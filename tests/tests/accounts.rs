//! The accounts a server prints are what its clients heard, to the item: of every signal, taken, left out, refused for now
//! and refused for good, while more comes than it can take.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::harness::{Start, Tripline, now, text};

/// Clients at once.
const LANES: u64 = 24;
/// Requests of each; one in five is not even JSON.
const REQUESTS: u64 = 9;
/// Items a request: so many of all lanes are more than the queue holds.
const ITEMS: u64 = 60;

/// A signal as each of the books names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Signal {
    path: &'static str,
    receiver: &'static str,
    store: &'static str,
    relation: &'static str,
    rejected: &'static str,
    /// Why items are left out, of those signals of which some can be.
    reason: Option<&'static str>,
}

const SIGNALS: [Signal; 3] = [
    Signal {
        path: "traces",
        receiver: "spans",
        store: "spans",
        relation: "spans",
        rejected: "rejectedSpans",
        reason: Some("span_trace_id_invalid"),
    },
    Signal {
        path: "metrics",
        receiver: "metric_points",
        store: "data_points",
        relation: "metric_points",
        rejected: "rejectedDataPoints",
        reason: Some("point_time_missing"),
    },
    Signal {
        path: "logs",
        receiver: "log_records",
        store: "logs",
        relation: "logs",
        rejected: "rejectedLogRecords",
        reason: None,
    },
];

/// What clients heard of one signal: requests by what came of them, items of those taken and of those refused for now.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    accepted: u64,
    overloaded: u64,
    malformed: u64,
    stored_items: u64,
    rejected_items: u64,
    refused_items: u64,
}

impl Signal {
    /// A request of [`ITEMS`] items, of which the first `bad` cannot be stored.
    fn request(self, number: u64, bad: u64) -> Value {
        let time = now().to_string();
        let items = (0..ITEMS).map(|at| {
            let is_good = at >= bad;
            let id = if is_good { number * ITEMS + at + 1 } else { 0 };
            match self.path {
                "traces" => {
                    json!({"traceId": format!("{id:032x}"), "spanId": format!("{:016x}", at + 1),
                    "name": "GET /", "startTimeUnixNano": time, "endTimeUnixNano": time})
                }
                "metrics" if is_good => json!({"timeUnixNano": time, "asInt": at.to_string()}),
                "metrics" => json!({"asInt": at.to_string()}),
                _ => json!({"timeUnixNano": time, "body": {"stringValue": "said"}}),
            }
        });
        let items: Vec<Value> = items.collect();
        let resource = json!({"attributes": [text("service.name", "flood")]});
        match self.path {
            "traces" => {
                json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": items}]}]})
            }
            "metrics" => {
                json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [
                {"name": "m", "gauge": {"dataPoints": items}}]}]}]})
            }
            _ => {
                json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": items}]}]})
            }
        }
    }

    /// Sends a body over HTTP; the status and the words of the answer.
    async fn post(
        self,
        client: &reqwest::Client,
        otlp: &str,
        body: String,
    ) -> Result<(u16, String)> {
        let answer = client
            .post(format!("http://{otlp}/v1/{}", self.path))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// The counter of items with this outcome.
    fn items(self, outcome: &str) -> String {
        let receiver = self.receiver;
        format!("otelcol_receiver_{outcome}_{receiver}{{receiver=\"otlp\",transport=\"http\"}}")
    }

    /// The counter of requests with this outcome.
    fn requests(self, outcome: &str) -> String {
        let path = self.path;
        format!(
            "tripline_receiver_requests_total{{signal=\"{path}\",transport=\"http\",outcome=\"{outcome}\"}}"
        )
    }
}

/// Sends the requests of one lane, one after the other, and never again.
async fn send(client: reqwest::Client, otlp: String, lane: u64) -> Result<Vec<(Signal, Heard)>> {
    let mut all = Vec::new();
    for number in lane * REQUESTS..(lane + 1) * REQUESTS {
        let signal = SIGNALS[(number % 3) as usize];
        let is_json = number % 5 != 0;
        let bad = signal.reason.map_or(0, |_| 1 + lane % 3);
        let body = if is_json {
            signal.request(number, bad).to_string()
        } else {
            "{\"resource".to_owned()
        };
        let (status, said) = signal.post(&client, &otlp, body).await?;
        let mut heard = Heard::default();
        match (status, is_json) {
            (200, true) => {
                let answer: Value = serde_json::from_str(&said)?;
                heard.accepted = 1;
                heard.rejected_items = rejected(&answer["partialSuccess"][signal.rejected])?;
                heard.stored_items = ITEMS - heard.rejected_items;
            }
            (503, true) => {
                heard.overloaded = 1;
                heard.refused_items = ITEMS - bad;
            }
            (400, false) => heard.malformed = 1,
            _ => bail!("{signal:?} {number}: {status} {said}"),
        }
        all.push((signal, heard));
    }
    Ok(all)
}

/// A 64-bit number as JSON has it: a number, text, or left out where it is 0.
fn rejected(value: &Value) -> Result<u64> {
    match value {
        Value::Null => Ok(0),
        Value::String(text) => Ok(text.parse()?),
        value => value.as_u64().context("no number of items"),
    }
}

#[tokio::test]
async fn what_the_server_prints_of_every_signal_is_what_its_clients_heard() -> Result<()> {
    let server = Start::default()
        .env("TRIPLINE_STORE__COMMIT_ROWS_PER_SECOND_MAX", "1000")
        .env("TRIPLINE_STORE__QUEUE_BYTES_MAX", "128KiB")
        .start()
        .await?;
    let mut lanes = tokio::task::JoinSet::new();
    for lane in 0..LANES {
        lanes.spawn(send(
            server.client.clone(),
            server.otlp_http().to_owned(),
            lane,
        ));
    }
    let mut books: BTreeMap<Signal, Heard> = BTreeMap::new();
    while let Some(lane) = lanes.join_next().await {
        for (signal, heard) in lane?? {
            let book = books.entry(signal).or_default();
            book.accepted += heard.accepted;
            book.overloaded += heard.overloaded;
            book.malformed += heard.malformed;
            book.stored_items += heard.stored_items;
            book.rejected_items += heard.rejected_items;
            book.refused_items += heard.refused_items;
        }
    }
    println!("{books:#?}");
    let mut overloaded = 0;
    for (signal, heard) in &books {
        compare(&server, *signal, heard).await?;
        overloaded += heard.overloaded;
    }
    ensure!(overloaded > 0, "nothing was refused: the test shows little");
    let refused = "tripline_store_refused_batches_total{reason=\"overloaded\"}";
    assert_eq!(server.metric(refused).await?, overloaded);
    Ok(())
}

/// The server's books of one signal against its clients'.
async fn compare(server: &Tripline, signal: Signal, heard: &Heard) -> Result<()> {
    let Signal {
        path,
        store,
        relation,
        ..
    } = signal;
    let refused = heard.rejected_items + heard.refused_items;
    let mut books = vec![
        (signal.items("accepted"), heard.stored_items),
        (signal.items("refused"), refused),
        (signal.items("failed"), 0),
        (signal.requests("accepted"), heard.accepted),
        (signal.requests("overloaded"), heard.overloaded),
        (signal.requests("malformed"), heard.malformed),
        (
            format!("tripline_store_accepted_total{{signal=\"{store}\"}}"),
            heard.stored_items,
        ),
    ];
    if let Some(reason) = signal.reason {
        ensure!(heard.rejected_items > 0, "{path}: nothing was left out");
        books.push((
            format!("tripline_receiver_dropped_total{{signal=\"{path}\",reason=\"{reason}\"}}"),
            heard.rejected_items,
        ));
    }
    for (sample, wanted) in books {
        let printed = server.metric(&sample).await?;
        ensure!(
            printed == wanted,
            "{sample} is {printed}, clients heard {wanted}"
        );
    }
    let stored = server
        .number(&format!("SELECT count(*) FROM {relation}"))
        .await?;
    ensure!(
        stored == i64::try_from(heard.stored_items)?,
        "{stored} {relation} are stored, clients heard {}",
        heard.stored_items
    );
    Ok(())
}

#[tokio::test]
async fn what_is_stored_after_its_client_heard_a_deadline_is_counted_once_as_stored_and_once_as_refused()
-> Result<()> {
    // After a request of sixty spans the writer rests for twelve seconds.
    let server = Start::default()
        .env("TRIPLINE_STORE__COMMIT_ROWS_PER_SECOND_MAX", "5")
        .env("TRIPLINE_RECEIVE__REQUEST_TIMEOUT_MS", "3000")
        .start()
        .await?;
    let signal = SIGNALS[0];
    let mut answers = Vec::new();
    for number in 0..2 {
        let body = signal.request(number, 1).to_string();
        let (status, _) = signal
            .post(&server.client, server.otlp_http(), body)
            .await?;
        answers.push(status);
    }
    assert_eq!(answers, [200, 503]);
    let stored = "tripline_store_accepted_total{signal=\"spans\"}";
    // However long the rest still is: what is accepted, is stored by then.
    let accepted = server.metric(&signal.items("accepted")).await?;
    assert!(accepted <= server.metric(stored).await?, "{accepted}");
    server
        .wait_for_metric(stored, 2 * (ITEMS - 1)..=u64::MAX)
        .await?;
    let unheard =
        "tripline_receiver_unheard_items_total{signal=\"traces\",transport=\"http\"}".to_owned();
    server.wait_for_metric(&unheard, 1..=u64::MAX).await?;
    for (sample, wanted) in [
        (stored.to_owned(), 2 * (ITEMS - 1)),
        (signal.items("accepted"), 2 * (ITEMS - 1)),
        (signal.items("refused"), 2),
        (unheard, ITEMS - 1),
        (signal.requests("accepted"), 1),
        (signal.requests("deadline"), 1),
    ] {
        assert_eq!(server.metric(&sample).await?, wanted, "{sample}");
    }
    let spans = server.number("SELECT count(*) FROM spans").await?;
    assert_eq!(spans, i64::try_from(2 * (ITEMS - 1))?);
    Ok(())
}
