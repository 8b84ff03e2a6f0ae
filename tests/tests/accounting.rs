//! The accounting rules on a live shop, against its own tally and against a Prometheus that scrapes its request
//! counters: with sidecars, resent batches, late spans and a service that samples one call in ten.
//!
//! Ten minutes of real time, as a person would compare the two: the test sleeps nearly all of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Tripline, now, text};

const SECOND: u64 = 1_000_000_000;
/// Requests a second, evenly.
const RATE: u64 = 20;
/// What is compared: closed, and whole buckets of ten seconds.
const WINDOW_SECONDS: u64 = 600;
/// The least significant bit says "one in ten" in OpenTelemetry's threshold: 0.9 × 2^56.
const ONE_IN_TEN: &str = "ot=th:e6666666666666";
/// How much later than the rest late spans are sent.
const LATE_SECONDS: u64 = 12;

/// Requests and failures by service: what the services count themselves.
type Tally = BTreeMap<&'static str, [u64; 2]>;

fn count(tally: &mut Tally, service: &'static str, is_failure: bool) {
    tally.entry(service).or_default()[usize::from(is_failure)] += 1;
}

/// `/metrics` of the shop.
fn exposition(tally: &Tally) -> String {
    let mut text = "# TYPE requests_total counter\n".to_owned();
    for (service, counts) in tally {
        for (outcome, count) in ["ok", "failed"].iter().zip(counts) {
            let _ = writeln!(
                text,
                "requests_total{{service=\"{service}\",outcome=\"{outcome}\"}} {count}"
            );
        }
    }
    text
}

async fn serve_metrics(listener: tokio::net::TcpListener, tally: Arc<Mutex<Tally>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let tally = tally.clone();
        tokio::spawn(async move {
            let mut request = vec![0; 4096];
            // One request a connection, and no more of it than its head.
            let _ = stream.read(&mut request).await;
            let text = exposition(&tally.lock().unwrap_or_else(PoisonError::into_inner));
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                text.len()
            );
            let _ = stream.write_all((head + &text).as_bytes()).await;
        });
    }
}

/// A Prometheus of its own, ended when dropped.
struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    fn start(directory: &Path, target: &str) -> Result<Self> {
        let config = directory.join("prometheus.yml");
        std::fs::write(
            &config,
            format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
                 scrape_configs:\n- {{job_name: shop, static_configs: [{{targets: ['{target}']}}]}}\n"
            ),
        )?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.join("tsdb").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=error"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("prometheus does not start (Debian package: prometheus)")?;
        Ok(Self { child, address })
    }

    /// The value of an instant query that answers one series.
    async fn ask(&self, query: &str, at: u64) -> Result<f64> {
        let address = reqwest::Url::parse_with_params(
            &format!("http://{}/api/v1/query", self.address),
            [("query", query), ("time", &(at / SECOND).to_string())],
        )?;
        let answer: Value = reqwest::get(address).await?.json().await?;
        let value = answer["data"]["result"][0]["value"][1].as_str();
        Ok(value
            .with_context(|| format!("{query}: {answer}"))?
            .parse()?)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who wrote a span: a service, or the proxy beside it.
type Writer = (&'static str, bool);

/// One request: the spans it leaves behind, by writer, and who is late with theirs.
struct Request {
    number: u64,
    start: u64,
}

impl Request {
    fn is_failure(&self) -> bool {
        self.number.is_multiple_of(7)
    }

    fn is_late(&self) -> bool {
        self.number.is_multiple_of(13)
    }

    fn span(&self, step: u64, name: &str, kind: u8, attributes: &Value) -> Value {
        let id = |step: u64| format!("{:016x}", self.number * 8 + step);
        let (start, end) = (
            self.start + step * 100_000,
            self.start + 5_000_000 - step * 100_000,
        );
        let parent = if step == 1 {
            String::new()
        } else {
            id(step - 1)
        };
        let status = if self.is_failure() { 2 } else { 0 };
        json!({"traceId": format!("{:032x}", self.number + 1), "spanId": id(step), "parentSpanId": parent,
            "name": name, "kind": kind, "startTimeUnixNano": start.to_string(), "endTimeUnixNano": end.to_string(),
            "status": {"code": status}, "attributes": attributes})
    }

    /// front's two spans, the two proxies' and back's.
    fn spans(&self) -> [(Writer, Value); 5] {
        let proxy = || {
            json!([
                text("component", "proxy"),
                text("node_id", "sidecar~10.0.0.1~pod~mesh")
            ])
        };
        [
            (("front", false), self.span(1, "GET /", 2, &json!([]))),
            (("front", false), self.span(2, "GET", 3, &json!([]))),
            (("front", true), self.span(3, "back:80/*", 3, &proxy())),
            (("back", true), self.span(4, "back:80/*", 2, &proxy())),
            (("back", false), self.span(5, "GET /items", 2, &json!([]))),
        ]
    }

    /// The span of the service that samples, if this request is one of its one in ten.
    fn sampled(&self) -> Option<Value> {
        self.number.is_multiple_of(10).then(|| {
            let mut span = self.span(1, "POST /events", 2, &json!([]));
            span["traceId"] = json!(format!("{:032x}", u128::from(self.number + 1) << 64));
            span["traceState"] = json!(ONE_IN_TEN);
            span["status"] = json!({});
            span
        })
    }
}

async fn send(server: &Tripline, spans: Vec<(Writer, Value)>) -> Result<()> {
    let mut by_writer: BTreeMap<Writer, Vec<Value>> = BTreeMap::new();
    for (writer, span) in spans {
        by_writer.entry(writer).or_default().push(span);
    }
    let of_writer = by_writer.into_iter().map(|((service, is_proxy), spans)| {
        let instance = if is_proxy { "proxy-1" } else { "pod-1" };
        json!({"resource": {"attributes": [text("service.name", service), text("service.instance.id", instance)]},
            "scopeSpans": [{"spans": spans}]})
    });
    let body = json!({"resourceSpans": of_writer.collect::<Vec<_>>()});
    server.send("traces", &body).await
}

/// Serves requests until `end`; what the services counted within the window.
async fn serve(server: &Tripline, live: &Mutex<Tally>, begin: u64, end: u64) -> Result<Tally> {
    let mut in_window = Tally::new();
    let mut late: Vec<(u64, (Writer, Value))> = Vec::new();
    let first = now() / SECOND + 1;
    for second in first.. {
        let wait = (second + 1) * SECOND;
        tokio::time::sleep(Duration::from_nanos(wait.saturating_sub(now()))).await;
        let is_over = second * SECOND > end + (LATE_SECONDS + 2) * SECOND;
        let mut spans = Vec::new();
        for slot in 0..RATE {
            let request = Request {
                number: second * RATE + slot,
                start: second * SECOND + slot * (SECOND / RATE) + SECOND / RATE / 2,
            };
            let counted = [
                ("front", request.is_failure()),
                ("back", request.is_failure()),
                ("thinned", false),
            ];
            for (service, is_failure) in counted {
                count(
                    &mut live.lock().unwrap_or_else(PoisonError::into_inner),
                    service,
                    is_failure,
                );
                if (begin..end).contains(&request.start) {
                    count(&mut in_window, service, is_failure);
                }
            }
            for part in request.spans() {
                if request.is_late() && part.0 == ("back", false) {
                    late.push((second + LATE_SECONDS, part));
                } else {
                    spans.push(part);
                }
            }
            spans.extend(request.sampled().map(|span| (("thinned", false), span)));
        }
        let due = late.extract_if(.., |(at, _)| *at <= second);
        spans.extend(due.map(|(_, part)| part));
        if second.is_multiple_of(11) {
            send(server, spans.clone()).await?;
        }
        send(server, spans).await?;
        if is_over {
            break;
        }
    }
    Ok(in_window)
}

#[tokio::test]
async fn pages_agree_with_the_services_own_counters_and_with_prometheus() -> Result<()> {
    let server = Tripline::start().await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let scratch = tempfile::tempdir()?;
    let live = Arc::new(Mutex::new(Tally::new()));
    let prometheus = Prometheus::start(scratch.path(), &listener.local_addr()?.to_string())?;
    let metrics = tokio::spawn(serve_metrics(listener, live.clone()));
    let begin = (now() / SECOND / 10 + 2) * 10 * SECOND;
    let end = begin + WINDOW_SECONDS * SECOND;
    let own = serve(&server, &live, begin, end).await?;
    metrics.abort();

    let range = format!("from={begin}&to={end}");
    let services = server.get(&format!("/api/v1/services?{range}")).await?;
    let service = |name: &str| {
        let of_name = |service: &&Value| service["service_name"] == name;
        let items = services["items"].as_array().into_iter().flatten();
        items
            .into_iter()
            .find(of_name)
            .cloned()
            .with_context(|| format!("{name} in {services}"))
    };
    // To the last call, where every call is recorded.
    for name in ["front", "back"] {
        let [ok, failed] = own[name];
        let (found, expected) = (service(name)?, ok + failed);
        ensure!(
            found["calls"] == expected && found["errors"] == failed,
            "{found}\n{own:?}"
        );
        ensure!(
            found["basis"] == "unknown" || found["basis"] == "all",
            "{found}"
        );
    }
    let graph = server.get(&format!("/api/v1/graph?{range}")).await?;
    let edges = graph["edges"].as_array().context("edges")?;
    let [ok, failed] = own["back"];
    ensure!(edges.len() == 1, "the proxies are folded: {graph}");
    ensure!(
        edges[0]["calls"] == ok + failed && edges[0]["errors"] == failed,
        "{graph}"
    );
    // One in ten recorded: each stands for ten.
    let thinned = service("thinned")?;
    let [served, _] = own["thinned"];
    let weight = thinned["weight"].as_f64().context("a weight")?;
    ensure!(thinned["basis"] == "sampled", "{thinned}");
    ensure!(
        (weight / served as f64 - 1.0).abs() < 0.01,
        "{thinned} of {served}"
    );
    // What a person reads.
    for (page, words) in [
        ("/", vec!["20/s", "sampled", "14.3 %"]),
        ("/services/front", vec!["20/s", "14.3 %"]),
        ("/graph", vec!["12,000", "20/s", "14.3 %"]),
    ] {
        let (status, html) = server.get_text(&format!("{page}?{range}")).await?;
        ensure!(status == 200, "{page}: {status}");
        for word in words {
            ensure!(html.contains(word), "{page} without {word}\n{html}");
        }
    }
    // The other tool's numbers.
    for (name, ours) in [
        ("front", service("front")?["calls"].as_f64()),
        ("back", service("back")?["calls"].as_f64()),
        ("thinned", Some(weight)),
    ] {
        let ours = ours.context("a number")?;
        let query =
            format!("sum(increase(requests_total{{service=\"{name}\"}}[{WINDOW_SECONDS}s]))");
        let theirs = prometheus.ask(&query, end).await?;
        println!("{name}: {ours} here, {theirs:.1} by Prometheus");
        ensure!(
            (ours / theirs - 1.0).abs() < 0.01,
            "{name}: {ours} and {theirs}"
        );
    }
    let query = format!(
        "sum(increase(requests_total{{service=\"front\",outcome=\"failed\"}}[{WINDOW_SECONDS}s]))"
    );
    let theirs = prometheus.ask(&query, end).await?;
    ensure!(
        (own["front"][1] as f64 / theirs - 1.0).abs() < 0.01,
        "{own:?} and {theirs}"
    );
    Ok(())
}
