//! `tripline demo`: `serve`, and a small shop of real services that sends it telemetry.
//!
//! Gateway, orders, inventory, payment, two versions of recommendation and shipping talk over
//! loopback sockets, gRPC and a queue, guarded by the SDK's policies, and export over OTLP/gRPC to
//! our own port: the demo knows nothing of the store. A seeded script breaks one thing after the
//! other; within half a minute of the first start payment's breaker has opened and recovered.

mod gateway;
mod inventory;
mod load;
mod orders;
mod payment;
mod peer;
mod recommendation;
mod rpc;
mod script;
mod service;
mod shipping;
mod shop;

use std::time::Instant;

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::{ServeFlags, serve};
use crate::config::Config;
use crate::operations::{logging, signals};
use script::{Script, Victim};
use service::World;
use shop::{Part, Ports};

/// Flags of the demo: those of `serve`, and what the shop is to do.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoFlags {
    #[command(flatten)]
    serve: ServeFlags,
    /// Seed of the fault script
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// The most checkouts a second; fewer if they would take more than a sixth of a core
    #[arg(long, default_value_t = 8.0)]
    rate: f64,
    /// Nothing happens to this service (may be given several times)
    #[arg(long, value_enum, value_name = "SERVICE")]
    spare: Vec<Victim>,
    /// Run only this part of the shop, and no server; the parts find each other by their ports
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
    /// With --only: where telemetry goes
    #[arg(long, default_value = "http://127.0.0.1:4317", value_name = "URL")]
    otlp: String,
    /// With --only: the first of the seven ports of the shop
    #[arg(long, default_value_t = 7101, value_name = "PORT")]
    first_port: u16,
}

/// Runs the server and the shop, or one part of the shop, until a signal comes.
pub(super) fn run(flags: &DemoFlags) -> anyhow::Result<()> {
    anyhow::ensure!(
        flags.rate.is_finite() && flags.rate > 0.0 && flags.rate <= 200.0,
        "--rate must be above 0 and at most 200"
    );
    if let Some(part) = flags.only {
        return run_only(part, flags);
    }
    check_reachable(&flags.serve.load()?)?;
    let flags = flags.clone();
    serve::run_with(&flags.serve.clone(), move |running| {
        let Some(endpoint) = running.addresses.otlp_grpc.clone() else {
            anyhow::bail!("the demo sends over OTLP/gRPC; give --otlp-grpc an address");
        };
        let world = flags.world(format!("http://{endpoint}"));
        let (stop, stopped) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("shop".into())
            .spawn(move || {
                let outcome = on_one_thread(async {
                    tokio::select! {
                        outcome = shop::open(&world, flags.rate) => outcome,
                        _ = stopped => Ok(()),
                    }
                });
                if let Err(error) = outcome {
                    tracing::error!(error = format!("{error:#}"), "the shop could not open");
                }
                // Its runtime is gone, and with it every service, each of which has sent its last.
                let _ = end.send(());
            })
            .context("cannot start the shop's thread")?;
        Ok(Some(serve::Companion { stop, ended }))
    })
}

/// Refuses what the shop cannot send to: it speaks plain gRPC over TCP and knows no secret. Else it would run, and the
/// pages would wait for what never comes.
fn check_reachable(config: &Config) -> anyhow::Result<()> {
    let address = &config.otlp_grpc;
    anyhow::ensure!(
        !address.is_empty(),
        "the demo sends over OTLP/gRPC; give --otlp-grpc an address"
    );
    anyhow::ensure!(
        !address.starts_with("unix:"),
        "the demo sends over TCP, and OTLP/gRPC listens on {address}; give --otlp-grpc a host and port"
    );
    anyhow::ensure!(
        config.receive.grpc.listen.tls.is_none(),
        "the demo sends without TLS, and OTLP/gRPC listens on {address} with it; leave out receive.grpc.listen.tls"
    );
    anyhow::ensure!(
        config.receive.auth.credentials.is_empty(),
        "the demo sends without a credential, and OTLP/gRPC on {address} asks for one; leave out receive.auth"
    );
    Ok(())
}

impl DemoFlags {
    fn world(&self, otlp: String) -> World {
        World {
            otlp,
            script: Script::new(self.seed, self.spare.clone()),
            seed: self.seed,
            opened: Instant::now(),
        }
    }
}

fn run_only(part: Part, flags: &DemoFlags) -> anyhow::Result<()> {
    logging::init(&Config::default().log)?;
    let world = flags.world(flags.otlp.clone());
    on_one_thread(async {
        tokio::select! {
            outcome = shop::run_only(part, &world, Ports::from(flags.first_port), flags.rate) => outcome,
            signal = signals::asked_to_end() => Ok(signal.map(drop)?),
        }
    })
}

/// The shop has one thread, so that it can never take more than one core and so that what it takes
/// can be measured.
fn on_one_thread(shop: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(shop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::{AuthConfig, TlsConfig};

    #[test]
    fn the_shop_opens_only_where_it_can_send() {
        assert!(check_reachable(&Config::default()).is_ok());
        let socket = Config {
            otlp_grpc: "unix:/run/otlp.sock".to_owned(),
            ..Config::default()
        };
        let nowhere = Config {
            otlp_grpc: String::new(),
            ..Config::default()
        };
        let mut encrypted = Config::default();
        encrypted.receive.grpc.listen.tls = Some(TlsConfig::default());
        let mut closed = Config::default();
        closed.receive.auth =
            toml::from_str::<AuthConfig>("credentials = [{ bearer = 'x' }]").expect("settings");
        for (config, words) in [
            (socket, "listens on unix:/run/otlp.sock"),
            (nowhere, "give --otlp-grpc an address"),
            (encrypted, "without TLS"),
            (closed, "without a credential"),
        ] {
            let why = check_reachable(&config).expect_err(words).to_string();
            assert!(why.contains(words) && !why.contains("http://"), "{why}");
        }
    }
}
