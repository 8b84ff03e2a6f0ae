//! The demo as a newcomer meets it: what the script breaks is what the telemetry tells, and nothing
//! else.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::harness::{Start, Tripline, now};

/// A newcomer's patience.
const HALF_A_MINUTE: Duration = Duration::from_secs(30);

fn text(cell: &Value) -> String {
    cell.as_str()
        .map_or_else(|| cell.to_string(), str::to_owned)
}

/// The transitions of a breaker, oldest first: from, to, reason, trace.
async fn transitions(server: &Tripline, breaker: &str) -> anyhow::Result<Vec<[String; 4]>> {
    changes(
        server,
        &format!(
            "SELECT from_state, to_state, reason, trace_id FROM breaker_transitions \
             WHERE name = '{breaker}' AND from_state IS NOT NULL ORDER BY time_unix_nano"
        ),
    )
    .await
}

/// The same as the shop itself logged them.
async fn logged(server: &Tripline, breaker: &str) -> anyhow::Result<Vec<[String; 4]>> {
    changes(
        server,
        &format!(
            r#"SELECT attributes."circuit_breaker.from_state"::VARCHAR,
                      attributes."circuit_breaker.to_state"::VARCHAR,
                      attributes."circuit_breaker.reason"::VARCHAR, trace_id
               FROM logs
               WHERE event_name = 'circuit_breaker.state_changed'
                 AND attributes."circuit_breaker.name"::VARCHAR = '{breaker}'
               ORDER BY time"#
        ),
    )
    .await
}

async fn changes(server: &Tripline, query: &str) -> anyhow::Result<Vec<[String; 4]>> {
    let rows = server.sql(query).await?;
    Ok(rows
        .iter()
        .map(|row| std::array::from_fn(|cell| text(&row[cell])))
        .collect())
}

fn steps(transitions: &[[String; 4]]) -> Vec<(&str, &str)> {
    transitions
        .iter()
        .map(|[from, to, ..]| (from.as_str(), to.as_str()))
        .collect()
}

/// Asks again until it holds.
async fn until<F, A>(patience: Duration, mut holds: F) -> anyhow::Result<bool>
where
    F: FnMut() -> A,
    A: Future<Output = anyhow::Result<bool>>,
{
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if holds().await? {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(false)
}

#[tokio::test]
async fn the_demo_shows_a_breaker_open_and_recover_within_half_a_minute() -> anyhow::Result<()> {
    let server = Start::default().command("demo").start().await?;
    let recovered = until(HALF_A_MINUTE, async || {
        let changes = transitions(&server, "payment").await?;
        let steps = steps(&changes);
        Ok(steps.contains(&("closed", "open")) && steps.contains(&("half_open", "closed")))
    })
    .await?;
    let logged = logged(&server, "payment").await?;
    let changes = transitions(&server, "payment").await?;
    assert!(recovered, "{changes:?}\n{}", server.log());
    assert_eq!(changes[..logged.len()], logged, "as the shop told them");
    let wrong = server
        .number(
            "SELECT count(*) FROM breaker_transitions t JOIN breakers b USING (breaker_id) \
             WHERE b.name = 'payment' AND (b.service_name <> 'orders' OR b.peer_service IS DISTINCT FROM 'payment' \
             OR t.from_state = 'closed' AND t.to_state = 'open' AND t.trace_evidence IS DISTINCT FROM 'exact')",
        )
        .await?;
    assert_eq!(wrong, 0);

    // The trip is told in the trace of the call that caused it, in which payment failed or was slow.
    let [_, _, reason, trace] = &changes[0];
    assert!(
        ["failure_rate", "slow_rate"].contains(&reason.as_str()),
        "{reason}"
    );
    let troubled = server
        .number(&format!(
            "SELECT count(*) FROM spans WHERE trace_id = '{trace}' AND service_name = 'orders' \
             AND kind = 'client' AND (status_code = 'error' OR duration_ns > 500000000)"
        ))
        .await?;
    assert!(troubled > 0, "trace {trace}");
    Ok(())
}

/// A trip as the store tells it.
#[derive(Debug)]
struct Trip {
    breaker: String,
    key: String,
    /// Seconds since the first span of the shop.
    at: f64,
    trace: String,
}

/// All trips since the start, oldest first.
async fn trips(server: &Tripline) -> anyhow::Result<Vec<Trip>> {
    let rows = server
        .sql(
            r#"SELECT attributes."circuit_breaker.name"::VARCHAR,
                      coalesce(attributes."circuit_breaker.key"::VARCHAR, ''),
                      (epoch_ns(time) - (SELECT min(epoch_ns(start_time)) FROM spans)) / 1e9, trace_id
               FROM logs
               WHERE event_name = 'circuit_breaker.state_changed'
                 AND attributes."circuit_breaker.from_state"::VARCHAR = 'closed'
                 AND attributes."circuit_breaker.to_state"::VARCHAR = 'open'
               ORDER BY time"#,
        )
        .await?;
    let trip = |row: &Vec<Value>| {
        let at = row[2].as_f64().or_else(|| row[2].as_str()?.parse().ok());
        Ok(Trip {
            breaker: text(&row[0]),
            key: text(&row[1]),
            at: at.with_context(|| format!("{} is no time", row[2]))?,
            trace: text(&row[3]),
        })
    };
    rows.iter().map(trip).collect()
}

/// CPU seconds the shop and its exporters have taken so far, of all threads of the demo.
fn shop_cpu(pid: u32) -> anyhow::Result<f64> {
    const TICKS_A_SECOND: f64 = 100.0;
    let mut ticks = 0_u64;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(stat) = std::fs::read_to_string(task?.path().join("stat")) else {
            continue; // ended meanwhile
        };
        let (name, rest) = stat
            .split_once('(')
            .and_then(|(_, rest)| rest.rsplit_once(')'))
            .context("a name in parentheses")?;
        let of_shop = ["shop", "tripline-", "OpenTelemetry"];
        if of_shop.iter().any(|of_shop| name.starts_with(of_shop)) {
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let field = |index: usize| {
                fields
                    .get(index)
                    .and_then(|field| field.parse::<u64>().ok())
            };
            ticks += field(11).context("utime")? + field(12).context("stime")?;
        }
    }
    Ok(ticks as f64 / TICKS_A_SECOND)
}

#[tokio::test]
async fn what_trips_in_a_cycle_of_the_demo_is_what_the_script_broke() -> anyhow::Result<()> {
    let opened = Instant::now();
    let server = Start::default().command("demo").start().await?;
    // What the script breaks in its first minute: who, which part, from when to when. A trip may
    // come a little later than its cause: a timeout, a busy machine.
    let story = [
        ("payment", "", 6.0, 16.0),
        ("inventory", "shard-0", 27.0, 34.0),
        ("recommendation", "recommendation-canary-1", 42.0, 50.0),
    ];
    let tripped = until(Duration::from_secs(75), async || {
        let trips = trips(&server).await?;
        Ok(story
            .iter()
            .all(|(name, ..)| trips.iter().any(|trip| trip.breaker == *name)))
    })
    .await?;
    let elapsed = opened.elapsed().as_secs_f64();
    let share = shop_cpu(server.pid())? / elapsed;
    let trips = trips(&server).await?;
    assert!(tripped, "{trips:?}\n{}", server.log());
    for trip in &trips {
        // The gateway holds a breaker too; it follows when orders fails because of what broke behind it.
        if trip.breaker == "orders" {
            let is_known =
                |(_, _, from, to): &(&str, &str, f64, f64)| trip.at > *from && trip.at < to + 4.0;
            assert!(story.iter().any(is_known), "{trip:?}");
            continue;
        }
        let (name, key, from, to) = story
            .iter()
            .find(|(name, ..)| *name == trip.breaker)
            .with_context(|| format!("nobody broke {trip:?}"))?;
        assert_eq!(trip.key, *key, "{trip:?}");
        assert!(trip.at > from - 1.0 && trip.at < to + 4.0, "{trip:?}");
        // A transition is sent at once, the spans of its trace with the next batch.
        let troubled = format!(
            r#"SELECT count(*) FROM spans WHERE trace_id = '{}' AND service_name = 'orders'
               AND kind = 'client' AND attributes."service.peer.name"::VARCHAR = '{name}'
               AND (status_code = 'error' OR duration_ns > 500000000)"#,
            trip.trace
        );
        let is_troubled = until(Duration::from_secs(15), async || {
            Ok(server.number(&troubled).await? > 0)
        })
        .await?;
        assert!(is_troubled, "{trip:?}");
    }
    println!("the shop took {:.1} % of a core", share * 100.0);
    assert!(share < 0.2, "the shop takes {share} of a core");
    Ok(())
}

/// The breakers that trip in the first 40 seconds of a demo in which only inventory breaks.
async fn trips_of_inventory(seed: &str) -> anyhow::Result<Vec<(String, String)>> {
    let server = Start::default()
        .command("demo")
        .arg(&format!("--seed={seed}"))
        .arg("--spare=payment")
        .arg("--spare=recommendation")
        .start()
        .await?;
    until(Duration::from_secs(60), async || {
        Ok(!trips(&server).await?.is_empty())
    })
    .await?;
    // Payment would have tripped long before.
    let trips = trips(&server).await?;
    ensure!(!trips.is_empty(), "nothing tripped\n{}", server.log());
    ensure!(trips[0].at > 26.0, "{trips:?}");
    Ok(trips
        .into_iter()
        .map(|trip| (trip.breaker, trip.key))
        .collect())
}

#[tokio::test]
async fn another_seed_breaks_another_shard_and_the_spared_do_not_trip() -> anyhow::Result<()> {
    let (one, other) = tokio::try_join!(trips_of_inventory("6"), trips_of_inventory("12"))?;
    let only = |shard: &str| vec![("inventory".to_owned(), shard.to_owned())];
    assert_eq!(one, only("shard-1"));
    assert_eq!(other, only("shard-3"));
    Ok(())
}

/// 1 once some calls were refused, and spans tell as many failed and refused calls as the breakers counted.
const SPANS_AGREE: &str = r#"SELECT coalesce((counted.failed = told.failed AND counted.rejected = told.rejected AND told.rejected > 0)::INTEGER, 0)
    FROM (SELECT sum(failed) AS failed, sum(rejected) AS rejected FROM (
            SELECT "key", max(failed) AS failed, max(rejected) AS rejected FROM breaker_samples
            WHERE service_name = 'orders' AND name = 'inventory' GROUP BY "key")) AS counted,
        (SELECT count(*) FILTER (outcome = 'failure') AS failed, count(*) FILTER (outcome = 'rejected') AS rejected FROM (
            SELECT attributes."circuit_breaker.outcome"::VARCHAR AS outcome FROM spans
            WHERE service_name = 'orders' AND attributes."circuit_breaker.name"::VARCHAR = 'inventory')) AS told"#;

/// What the SDK's counter of one breaker's calls says last, by outcome.
const SDK_COUNTER: &str = r#"SELECT coalesce(max(value), 0)::BIGINT FROM metric_points WHERE name = 'circuit_breaker.calls'
    AND service_name = 'orders' AND attributes."circuit_breaker.name"::VARCHAR = 'inventory'
    AND attributes."circuit_breaker.key"::VARCHAR = 'shard-0' AND attributes."circuit_breaker.outcome"::VARCHAR = "#;

/// The page of the shard's breaker and the graph say of a closed window what the SDK's own counter says.
async fn counters_and_pages_agree(server: &Tripline) -> anyhow::Result<()> {
    let failed = server.number(&format!("{SDK_COUNTER}'failure'")).await?;
    let rejected = server.number(&format!("{SDK_COUNTER}'rejected'")).await?;
    ensure!(
        failed > 0 && rejected > 0,
        "{failed} failed, {rejected} refused"
    );
    let end = now();
    let range = format!("from={}&to={end}", end - 600_000_000_000);
    let page = format!("/breakers/orders/inventory/shard-0?{range}");
    let (status, html) = server.get_text(&page).await?;
    // Thousands have commas.
    let html = html.replace(',', "");
    for said in [format!("{failed} failed"), format!("{rejected} refused")] {
        let outcome = format!("class=\"outcome\">{said}<");
        ensure!(status == 200 && html.contains(&outcome), "{said}\n{html}");
    }
    let graph = server.get(&format!("/api/v1/graph?{range}")).await?;
    let edges = graph["edges"].as_array().into_iter().flatten();
    let mut breakers = edges.flat_map(|edge| edge["breakers"].as_array().into_iter().flatten());
    let of_shard =
        breakers.find(|breaker| breaker["name"] == "inventory" && breaker["key"] == "shard-0");
    let of_shard = of_shard.context("the breaker on its edge")?;
    ensure!(
        of_shard["rejected"] == rejected && of_shard["rejected_basis"] == "counter",
        "{rejected}: {of_shard}"
    );
    Ok(())
}

#[tokio::test]
async fn spans_counters_and_the_replay_of_a_retried_call_agree() -> anyhow::Result<()> {
    let server = Start::default()
        .command("demo")
        .arg("--spare=payment")
        .arg("--spare=recommendation")
        .start()
        .await?;
    // The shard fails from second 27 to 34, and not again before second 87.
    let agree = until(Duration::from_secs(80), async || {
        Ok(server.number(SPANS_AGREE).await? == 1)
    })
    .await?;
    assert!(agree, "{}", server.log());
    counters_and_pages_agree(&server).await?;
    let question = "/api/v1/whatif?service=orders&name=inventory&key=shard-0&from=now-10m";
    // The spans of the last probes may come after the report that they closed it.
    let exactly = until(HALF_A_MINUTE, async || {
        let answer = server.get(question).await?;
        Ok(answer["baseline"]["exact"] == true)
    })
    .await?;
    let answer = server.get(question).await?;
    let baseline = &answer["baseline"];
    assert!(
        exactly,
        "not every transition to the nanosecond: {baseline}"
    );
    assert_eq!(baseline["trips"], 1, "{baseline}");
    assert_eq!(baseline["reproduced"], 1, "{baseline}");
    Ok(())
}

#[tokio::test]
async fn the_last_spans_before_the_end_are_kept() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let data = scratch.path().join("data");
    let spared = [
        "--spare=payment",
        "--spare=inventory",
        "--spare=recommendation",
    ];
    let mut start = Start::default().command("demo").data_dir(&data);
    for spare in spared {
        start = start.arg(spare);
    }
    let server = start.start().await?;
    server
        .wait_for(
            "SELECT count(*) FROM spans WHERE service_name = 'shipping'",
            3,
        )
        .await?;
    let seen = server.number("SELECT count(*) FROM spans").await?;
    // Some requests more, of which the exporters may still hold the spans.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (code, _remains) = server.stop()?;
    assert_eq!(code, Some(0));
    let server = Start::default().data_dir(&data).start().await?;
    let kept = server.number("SELECT count(*) FROM spans").await?;
    assert!(
        kept > seen,
        "{kept} after {seen}: the batches that waited were lost"
    );
    // What a service began it also ended and sent: no span lacks its parent.
    let orphans = server
        .sql(
            "SELECT service_name, name FROM spans AS child WHERE parent_span_id IS NOT NULL \
             AND parent_span_id <> '' AND NOT EXISTS (SELECT 1 FROM spans AS parent \
             WHERE parent.trace_id = child.trace_id AND parent.span_id = child.parent_span_id)",
        )
        .await?;
    assert_eq!(orphans, Vec::<Vec<Value>>::new());
    Ok(())
}

/// A part of the shop in a process of its own.
struct Process {
    part: &'static str,
    child: Child,
}

impl Process {
    fn start(part: &'static str, otlp: &str, first_port: u16) -> anyhow::Result<Self> {
        let child = Command::new(env!("CARGO_BIN_EXE_tripline-under-test"))
            .args([
                "demo",
                "--only",
                part,
                "--otlp",
                otlp,
                "--first-port",
                &first_port.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { part, child })
    }

    /// SIGTERM, and whether it ended well in time.
    fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        ensure!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()?
                .success()
        );
        let deadline = Instant::now() + HALF_A_MINUTE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "{} ended with {status}", self.part);
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{} does not end", self.part);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first of seven ports in a row that are free.
fn seven_ports() -> anyhow::Result<u16> {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (20_000..30_000_u16)
        .step_by(7)
        .skip(usize::try_from(std::process::id())? % 1_000)
        .find(|first| (*first..*first + 7).all(free))
        .context("no seven ports are free")
}

#[tokio::test]
async fn the_shop_runs_as_separate_processes_too() -> anyhow::Result<()> {
    let server = Tripline::start().await?;
    let otlp = format!("http://{}", server.otlp_grpc());
    let first_port = seven_ports()?;
    let parts = [
        "payment",
        "inventory",
        "recommendation",
        "orders",
        "gateway",
        "customers",
    ];
    let processes = parts
        .iter()
        .map(|part| Process::start(part, &otlp, first_port))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let everybody = "gateway,inventory,orders,payment,recommendation,shipping";
    let whole = format!(
        "SELECT count(*) FROM (SELECT string_agg(DISTINCT service_name, ',' ORDER BY service_name) \
         AS services FROM spans GROUP BY trace_id) WHERE services = '{everybody}'"
    );
    server.wait_for(&whole, 1).await?;
    for process in processes {
        process.stop()?;
    }
    Ok(())
}

#[tokio::test]
async fn an_order_is_one_trace_through_every_service() -> anyhow::Result<()> {
    let server = Start::default()
        .command("demo")
        .arg("--spare=payment")
        .arg("--spare=inventory")
        .arg("--spare=recommendation")
        .start()
        .await?;
    let everybody = "gateway,inventory,orders,payment,recommendation,shipping";
    let complete = until(HALF_A_MINUTE, async || {
        let rows = server
            .sql(
                "SELECT string_agg(DISTINCT service_name, ',' ORDER BY service_name) AS services \
                 FROM spans GROUP BY trace_id",
            )
            .await?;
        let methods = server
            .sql(r#"SELECT DISTINCT attributes."rpc.method"::VARCHAR FROM spans"#)
            .await?;
        let methods: BTreeSet<String> = methods.iter().map(|row| text(&row[0])).collect();
        let all_kinds = ["Suggest", "Browse", "Learn", "Advise"]
            .iter()
            .all(|method| methods.contains(&format!("shop.Recommendation/{method}")));
        Ok(all_kinds && rows.iter().any(|row| text(&row[0]) == everybody))
    })
    .await?;
    assert!(complete, "{}", server.log());
    // Nothing was broken, so nothing tripped.
    for breaker in ["payment", "inventory", "recommendation", "orders"] {
        assert_eq!(
            transitions(&server, breaker).await?,
            Vec::<[String; 4]>::new()
        );
    }
    Ok(())
}
