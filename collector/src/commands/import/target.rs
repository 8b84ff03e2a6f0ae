//! Where imported requests go: the store of this process, or a running server.
//!
//! The store takes several at once, no more than its queue has room for: the next ones wait until these are committed, so
//! that none is refused for want of room and all are stored in the order of the files.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use futures::future::join_all;
use tripline_storage::ingest::Batch;
use tripline_storage::store::{AppendError, Store, lock_holder};

use super::server::Server;
use crate::config::Config;
use crate::decode::{Decoded, Logs, Metrics, Signal, SignalKind, Traces};

/// Batches appended at once at most: they share a commit.
const BATCHES_AT_ONCE: usize = 32;
/// How long the store may take to close.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) items: u64,
    pub(super) rejected: u64,
}

/// A request that is to be appended to the store.
pub(super) struct Pending {
    batch: Batch,
    answer: Answer,
    /// Where it stands, for people.
    place: String,
}

pub(super) enum Target {
    Store {
        store: Arc<Store>,
        runtime: tokio::runtime::Runtime,
        /// What the store's queue has room for.
        queue_bytes_max: usize,
        pending: Vec<Pending>,
    },
    Server(Server),
}

impl Target {
    /// The store when nobody holds it, else who holds it.
    pub(super) fn open(config: &Config, token: Option<String>) -> anyhow::Result<Self> {
        let data_dir = config.data_dir.clone();
        let shown = data_dir.display().to_string();
        if let Some(holder) = lock_holder(&data_dir)? {
            let addresses: serde_json::Value =
                serde_json::from_str(&holder.addresses).unwrap_or_default();
            let server = Server::at(&addresses, config, token).map_err(|reason| {
                let pid = holder
                    .pid
                    .map_or_else(|| "another process".into(), |pid| format!("process {pid}"));
                anyhow::anyhow!("{shown} is held by {pid}, which {reason}")
            })?;
            return Ok(Self::Server(server));
        }
        let store_config = config.store_config();
        let queue_bytes_max = store_config.queue_bytes_max;
        let store = Store::open(store_config)
            .with_context(|| format!("cannot open the data directory {shown}"))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self::Store {
            store: Arc::new(store),
            runtime,
            queue_bytes_max,
            pending: Vec::new(),
        })
    }

    /// For the summary.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Store { .. } => "data directory".to_owned(),
            Self::Server(server) => server.name(),
        }
    }

    /// Takes one request of OTLP/JSON, which stands at `place`; `answered` hears of it once it is committed, here or by
    /// [`Self::settle`].
    pub(super) fn send(
        &mut self,
        kind: SignalKind,
        line: &[u8],
        place: String,
        answered: &mut dyn FnMut(Answer),
    ) -> anyhow::Result<()> {
        // Decoded here in both cases: the line's items are counted, and its faults told with their field.
        let decoded = decode(kind, line)?;
        let items = decoded.batch.items() as u64 + decoded.rejected();
        let answer = Answer {
            items,
            rejected: decoded.rejected(),
        };
        match self {
            Self::Server(server) => {
                server.post(kind, line)?;
                answered(answer);
                Ok(())
            }
            Self::Store { pending, .. } => {
                pending.push(Pending {
                    batch: decoded.batch,
                    answer,
                    place,
                });
                Ok(())
            }
        }
    }

    /// Commits what is pending once that is as much as the store takes at once. The error says what of it was not stored.
    pub(super) fn settle(&mut self, answered: &mut dyn FnMut(Answer)) -> anyhow::Result<()> {
        let is_enough = match self {
            Self::Server(_) => false,
            Self::Store {
                queue_bytes_max,
                pending,
                ..
            } => {
                let bytes: usize = pending.iter().map(|pending| pending.batch.bytes).sum();
                pending.len() >= BATCHES_AT_ONCE || bytes >= *queue_bytes_max
            }
        };
        if is_enough {
            self.commit(answered)
        } else {
            Ok(())
        }
    }

    /// Appends what is pending, in order. After one that is not stored no further ones are handed over.
    fn commit(&mut self, answered: &mut dyn FnMut(Answer)) -> anyhow::Result<()> {
        let Self::Store {
            store,
            runtime,
            queue_bytes_max,
            pending,
        } = self
        else {
            return Ok(());
        };
        let mut waiting = std::mem::take(pending);
        while !waiting.is_empty() {
            let rest = waiting.split_off(fitting(&waiting, *queue_bytes_max));
            append(store, runtime, waiting, answered)?;
            waiting = rest;
        }
        Ok(())
    }

    /// Commits the rest and closes the store.
    pub(super) fn finish(mut self, answered: &mut dyn FnMut(Answer)) -> anyhow::Result<()> {
        let committed = self.commit(answered);
        if let Self::Store { store, .. } = self {
            store.close(PATIENCE);
        }
        committed
    }
}

/// How many of the first fit together into a queue of so many bytes; at least one, which the store refuses when it alone
/// is too large.
fn fitting(waiting: &[Pending], queue_bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fit = waiting.iter().take_while(|pending| {
        bytes += pending.batch.bytes;
        bytes <= queue_bytes_max
    });
    fit.count().max(1)
}

/// Appends requests at once, and waits until it is known of each whether it is committed.
fn append(
    store: &Store,
    runtime: &tokio::runtime::Runtime,
    group: Vec<Pending>,
    answered: &mut dyn FnMut(Answer),
) -> anyhow::Result<()> {
    let (batches, told): (Vec<_>, Vec<_>) = group
        .into_iter()
        .map(|pending| (pending.batch, (pending.answer, pending.place)))
        .unzip();
    let outcomes = runtime.block_on(join_all(
        batches.into_iter().map(|batch| store.append(batch)),
    ));
    let mut failure = None;
    let mut stored_after = 0;
    for (outcome, (answer, place)) in outcomes.into_iter().zip(told) {
        match outcome {
            Ok(()) => {
                answered(answer);
                stored_after += u64::from(failure.is_some());
            }
            Err(error) if failure.is_none() => failure = Some((error, place)),
            Err(_) => {}
        }
    }
    match failure {
        None => Ok(()),
        Some((error, place)) => Err(explained(error, &place, stored_after)),
    }
}

/// Which request was not stored first, and whether any after it were: a store that refuses one may take the next.
fn explained(error: AppendError, place: &str, stored_after: u64) -> anyhow::Error {
    let rest = match stored_after {
        0 => "nor was what comes after it".to_owned(),
        1 => "but one request after it was, which another import would store again".to_owned(),
        n => format!("but {n} requests after it were, which another import would store again"),
    };
    anyhow::Error::new(error).context(format!("{place} was not stored, {rest}"))
}

fn decode(kind: SignalKind, line: &[u8]) -> anyhow::Result<Decoded> {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let arrival = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
    Ok(match kind {
        SignalKind::Traces => Traces::from_json(line, arrival)?,
        SignalKind::Metrics => Metrics::from_json(line, arrival)?,
        SignalKind::Logs => Logs::from_json(line, arrival)?,
    })
}

#[cfg(test)]
mod tests {
    use tripline_storage::store::StoreConfig;

    use super::*;

    const LINE: &str = r#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"GET /","startTimeUnixNano":"1700000000000000001"}]}]}]}"#;

    fn pending(line: u64) -> Pending {
        let decoded = decode(SignalKind::Traces, LINE.as_bytes()).expect("OTLP/JSON");
        Pending {
            batch: decoded.batch,
            answer: Answer {
                items: 1,
                rejected: 0,
            },
            place: format!("in.jsonl, line {line}"),
        }
    }

    #[test]
    fn a_request_that_is_not_stored_is_told_with_what_became_of_those_after_it() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(StoreConfig {
            data_dir: dir.path().to_owned(),
            ..StoreConfig::default()
        })
        .expect("a store");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        for (lines, stored, told) in [
            (
                3,
                2,
                "in.jsonl, line 2 was not stored, but one request after it was, which another import would store again",
            ),
            (
                2,
                1,
                "in.jsonl, line 2 was not stored, nor was what comes after it",
            ),
        ] {
            let mut group: Vec<Pending> = (1..=lines).map(pending).collect();
            // Its span is of a sender that is not there.
            group[1].batch.resources.clear();
            let mut items = 0;
            let mut answered = |answer: Answer| items += answer.items;
            let error = append(&store, &runtime, group, &mut answered).expect_err("one is bad");
            assert_eq!(error.to_string(), told);
            assert_eq!(items, stored);
        }
    }

    #[test]
    fn as_many_are_appended_at_once_as_the_queue_has_room_for() {
        let waiting: Vec<Pending> = (1..=3).map(pending).collect();
        let each = waiting[0].batch.bytes;
        assert_eq!(each, LINE.len());
        for (queue_bytes_max, expected) in [
            (0, 1),
            (each, 1),
            (2 * each - 1, 1),
            (2 * each, 2),
            (9 * each, 3),
        ] {
            let fit = fitting(&waiting, queue_bytes_max);
            assert_eq!(fit, expected, "{queue_bytes_max}");
        }
    }
}
