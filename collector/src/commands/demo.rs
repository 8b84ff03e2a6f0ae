//! `tripline demo`: `serve`, and a small shop of six services that sends it telemetry.
//!
//! The shop's telemetry goes through the stock OpenTelemetry exporter over a real socket to our own
//! OTLP/gRPC port: the demo knows nothing of the store. Payment fails and recovers in cycles, so a
//! newcomer sees errors, fallbacks and a tripping breaker within half a minute.

mod script;
mod shop;
mod telemetry;

use super::ServeFlags;
use super::serve;

/// Flags of the demo: those of `serve`, and the script's seed.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoFlags {
    #[command(flatten)]
    serve: ServeFlags,
    /// Seed of the fault script
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Checkout requests a second
    #[arg(long, default_value_t = 4.0)]
    rate: f64,
}

/// Runs the server and the shop until a signal comes.
pub(super) fn run(flags: &DemoFlags) -> anyhow::Result<()> {
    anyhow::ensure!(
        flags.rate.is_finite() && flags.rate > 0.0 && flags.rate <= 200.0,
        "--rate must be above 0 and at most 200"
    );
    let (seed, rate) = (flags.seed, flags.rate);
    serve::run_with(&flags.serve, move |running| {
        let Some(endpoint) = running.addresses.otlp_grpc.clone() else {
            anyhow::bail!("the demo sends over OTLP/gRPC; give --otlp-grpc an address");
        };
        Ok(tokio::spawn(shop::open(endpoint, seed, rate)))
    })
}
