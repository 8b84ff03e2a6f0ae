//! The shop: which services there are, where they listen, and who starts whom.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::orders::Behind;
use super::recommendation::{CANARY, STABLE};
use super::script::Victim;
use super::service::World;
use super::{gateway, inventory, load, orders, payment, recommendation, shipping};

/// A part of the shop that can run as a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    /// The edge
    Gateway,
    /// Orders, with shipping behind its queue
    Orders,
    /// Stock in four shards
    Inventory,
    /// Charges cards
    Payment,
    /// Two versions of a gRPC service
    Recommendation,
    /// The customers
    Customers,
}

/// Where the parts find each other when each is a process of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports(u16);

impl Ports {
    /// Seven ports from `first` on.
    pub(super) fn from(first: u16) -> Self {
        Self(first)
    }

    fn at(self, offset: u16) -> SocketAddr {
        local(self.0.saturating_add(offset))
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Opens the whole shop on ports the system chooses, and serves customers until dropped.
pub(super) async fn open(world: &World, rate: f64) -> anyhow::Result<()> {
    let any = local(0);
    let behind = Behind {
        inventory: inventory::start(world, any).await?,
        payment: payment::start(world, any).await?,
        stable: recommendation::start(world, STABLE, any).await?,
        canary: recommendation::start(world, CANARY, any).await?,
    };
    let parcels = shipping::start(world)?;
    let orders = orders::start(world, any, behind, parcels).await?;
    let gateway = gateway::start(world, any, orders).await?;
    tracing::info!(%gateway, "the shop is open: POST /checkout");
    tokio::join!(load::run(gateway, rate, world.seed), narrate(world));
    Ok(())
}

/// Runs one part on its well-known port until dropped.
pub(super) async fn run_only(
    part: Part,
    world: &World,
    ports: Ports,
    rate: f64,
) -> anyhow::Result<()> {
    let [gateway, orders, inventory, payment, stable, canary] =
        [0, 1, 2, 3, 4, 5].map(|offset| ports.at(offset));
    match part {
        Part::Gateway => drop(gateway::start(world, gateway, orders).await?),
        Part::Inventory => drop(inventory::start(world, inventory).await?),
        Part::Payment => drop(payment::start(world, payment).await?),
        Part::Recommendation => {
            recommendation::start(world, STABLE, stable).await?;
            recommendation::start(world, CANARY, canary).await?;
        }
        Part::Orders => {
            let behind = Behind {
                inventory,
                payment,
                stable,
                canary,
            };
            let parcels = shipping::start(world)?;
            orders::start(world, orders, behind, parcels).await?;
        }
        Part::Customers => load::run(gateway, rate, world.seed).await,
    }
    std::future::pending().await
}

/// Says on the screen what the script does, so that what the pages show can be followed.
async fn narrate(world: &World) {
    let mut before = [None; Victim::ALL.len()];
    loop {
        for (victim, before) in Victim::ALL.into_iter().zip(&mut before) {
            let now = world.fault(victim);
            if now != *before {
                match now {
                    Some(fault) => tracing::warn!(?victim, ?fault, "the script breaks something"),
                    None => tracing::info!(?victim, "the script mends it"),
                }
                *before = now;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
