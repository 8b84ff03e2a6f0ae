//! The call graph: services and inferred peers, and the calls between them.

use serde::{Deserialize, Serialize};

use super::{
    Basis, CallCounts, EdgeBreaker, Latency, RequestCounts, Scope, ScopeFilter, TimeRange, service,
};

/// Asks for the graph of a time range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphQuery {
    /// Rounded outwards to whole buckets of 10 s.
    pub range: TimeRange,
    /// Only callers in these scopes.
    pub scope: ScopeFilter,
    /// Only edges that touch this service, if given.
    pub service: Option<String>,
    /// At most so many edges, busiest first.
    pub edges_max: usize,
}

/// Nodes and edges of a time range.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// Ordered by scope and name: stable between refreshes. `GraphEdge` refers to them by index.
    pub nodes: Vec<GraphNode>,
    /// Busiest first.
    pub edges: Vec<GraphEdge>,
    /// Some edges were left out.
    pub truncated: bool,
    /// Edges in all.
    pub total_edges: u64,
}

/// The calls of an earlier time, beside a graph.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EarlierCalls {
    /// Those edges of the graph that had calls then, with everything as it was then.
    pub same: Graph,
    /// Edges that had calls then, have none now and are not in the graph, busiest first. Their breakers are those of
    /// now.
    pub gone: Graph,
    /// Edges that had calls then, in all.
    pub total_edges: u64,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A service that sends telemetry, or is named by one that does.
    Service,
    /// A database.
    Database,
    /// A destination of a message broker.
    Messaging,
    /// Any other address.
    External,
}

/// A service or an inferred peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GraphNode {
    /// Its scope; an inferred peer has its caller's.
    #[serde(flatten)]
    pub scope: Scope,
    /// Name.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Known only from its callers' (or consumers') spans.
    pub inferred: bool,
    /// Calls it received in the range: its own entry spans, or for an inferred peer the calls made to it; of a queue that
    /// nobody is seen to fill, the messages taken from it.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls these stand for, by sampling weights.
    #[serde(default)]
    pub weight: f64,
    /// Of the weight, that of failed calls.
    #[serde(default)]
    pub error_weight: f64,
    /// The same as its metrics count them, every one: only where spans are not known to be all there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestCounts>,
    /// Latency of these calls.
    pub latency: Latency,
    /// A proxy beside it sent spans too, which are folded into its own.
    #[serde(default)]
    pub has_proxy: bool,
    /// All of its spans are a proxy's: the application that the proxy stands beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_of: Option<String>,
}

impl GraphNode {
    /// Calls and failures to be shown: as its metrics count them where they do, else as spans do.
    pub fn counted(&self) -> (u64, u64) {
        let counts = self.counts();
        (counts.calls, counts.errors)
    }

    /// The same with what they stand for.
    pub fn counts(&self) -> CallCounts {
        let spans = (self.calls, self.errors);
        let weights = (self.weight, self.error_weight);
        service::counts(self.requests.as_ref(), spans, weights)
    }
}

/// What an edge carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Request and response between services.
    Service,
    /// A database call.
    Database,
    /// A message.
    Messaging,
    /// A call to an address that sends no telemetry.
    External,
}

/// Calls from one node to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GraphEdge {
    /// Index into [`Graph::nodes`].
    pub caller: usize,
    /// Index into [`Graph::nodes`].
    pub callee: usize,
    /// What it carries.
    pub kind: EdgeKind,
    /// The caller does not wait (messages): drawn dashed.
    pub is_async: bool,
    /// Calls seen.
    pub calls: u64,
    /// Of these, failed for the caller or the callee.
    pub errors: u64,
    /// Calls these stand for, by sampling weights.
    pub weight: f64,
    /// Of the weight, that of failed calls.
    #[serde(default)]
    pub error_weight: f64,
    /// What the counts stand on.
    pub basis: Basis,
    /// As the caller saw it (the callee, where the caller's span is unknown).
    pub latency: Latency,
    /// Breakers of the caller that guard it, as they were at the end of the range.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breakers: Vec<EdgeBreaker>,
}

impl GraphEdge {
    /// Calls and failures with what they stand for.
    pub fn counts(&self) -> CallCounts {
        CallCounts::weighted((self.calls, self.errors), (self.weight, self.error_weight))
    }
}

/// Calls from one service to another as the sidecars beside them count them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MeshCalls {
    /// Scope of the sidecar that counted them.
    #[serde(flatten)]
    pub scope: Scope,
    /// The application whose sidecar sent them on, or who sent them.
    pub caller: String,
    /// Whom they reached: an application, or what the sidecar names.
    pub callee: String,
    /// Counted by the caller's sidecar; else by the callee's.
    pub by_caller: bool,
    /// Calls seen.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls these stand for, by sampling weights.
    pub weight: f64,
    /// Of the weight, that of failed calls.
    #[serde(default)]
    pub error_weight: f64,
    /// 95th percentile of their durations.
    pub p95_ns: Option<f64>,
}

impl MeshCalls {
    /// Calls and failures with what they stand for.
    pub fn counts(&self) -> CallCounts {
        CallCounts::weighted((self.calls, self.errors), (self.weight, self.error_weight))
    }
}
