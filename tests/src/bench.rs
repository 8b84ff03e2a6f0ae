//! `cargo xtask bench`: the numbers of BENCHMARKS.md, measured against the real binary over real sockets.
//!
//! Costs are CPU time of the server process (user + system, from the kernel), never wall time: these machines
//! are shared. Each is also told as a ratio to a raw floor of the same run. What people wait for is wall time.

#[path = "bench/breakers.rs"]
mod breakers;
#[path = "bench/floors.rs"]
mod floors;
#[path = "bench/ingest.rs"]
mod ingest;
#[path = "bench/interactions.rs"]
mod interactions;
#[path = "bench/queries.rs"]
mod queries;
#[path = "bench/server.rs"]
mod server;
#[path = "bench/shapes.rs"]
mod shapes;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "all".into());
    let scale: f64 = arguments.next().map_or(Ok(1.0), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match what.as_str() {
            "ingest" => ingest::cost(scale).await,
            "latency" => ingest::latency(scale).await,
            "disk" => ingest::disk(scale).await,
            "queries" => queries::run(scale).await,
            "recognition" => breakers::recognition().await,
            "breakers" => breakers::questions(scale).await,
            "interactions" => interactions::run(scale).await,
            "all" => {
                ingest::cost(scale).await?;
                ingest::latency(scale).await?;
                ingest::disk(scale).await?;
                queries::run(scale).await?;
                breakers::recognition().await?;
                breakers::questions(scale).await?;
                interactions::run(scale).await
            }
            other => anyhow::bail!(
                "no benchmark '{other}'; there are ingest, latency, disk, queries, recognition, breakers, interactions, all (and sdk, by cargo xtask bench)"
            ),
        }
    })
}
