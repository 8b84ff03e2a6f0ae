//! A query while it runs: on a thread of its own, because DuckDB plans recursively and needs the stack; its bytes come
//! through a short channel, and it is interrupted when nobody waits for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tripline_storage::sql::{Gone, Permit, Request, STACK_BYTES, SqlError, Summary};
use tripline_storage::store::Store;

use crate::api::AppState;
use crate::operations::query_times::QueryTimes;

/// Chunks between the query and the connection.
const CHUNKS_MAX: usize = 4;
/// How long a client may take for one chunk.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(10);

/// What the query's thread tells.
pub(super) enum Event {
    Bytes(Vec<u8>),
    End(Result<Summary, SqlError>),
}

/// Interrupts the query when the client goes away while nothing is being sent.
pub(super) struct Interrupt(Box<dyn Fn() + Send + Sync>);

impl Drop for Interrupt {
    fn drop(&mut self) {
        (self.0)();
    }
}

pub(super) type Started = (mpsc::Receiver<Event>, Interrupt);

/// Starts a query: what it tells, and what interrupts it when dropped.
pub(super) async fn start(state: &AppState, request: Request) -> Result<Started, SqlError> {
    let gate = state.sql.gate(&state.store).map_err(|_| SqlError::Gone)?;
    let times = state.times.clone();
    let permit = gate
        .admit()
        .inspect_err(|error| times.query(&request.query, outcome(Err(error)), Duration::ZERO))?;
    let (events, receiver) = mpsc::channel(CHUNKS_MAX);
    let (ready, interrupt) = tokio::sync::oneshot::channel();
    let store = Arc::clone(&state.store);
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("sql-query".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || run(&store, &permit, &request, &runtime, &events, ready, &times))
        .map_err(|error| {
            tracing::error!(%error, "no thread for a query");
            SqlError::Gone
        })?;
    let interrupt = interrupt.await.map_err(|_| SqlError::Gone)?;
    Ok((receiver, interrupt))
}

fn run(
    store: &Store,
    permit: &Permit,
    request: &Request,
    runtime: &tokio::runtime::Handle,
    events: &mpsc::Sender<Event>,
    ready: tokio::sync::oneshot::Sender<Interrupt>,
    times: &QueryTimes,
) {
    let reader = match store.reader() {
        Ok(reader) => reader,
        Err(error) => {
            tracing::error!(%error, "cannot read the store");
            return;
        }
    };
    let handle = reader.interrupt_handle();
    if ready
        .send(Interrupt(Box::new(move || handle.interrupt())))
        .is_err()
    {
        return;
    }
    let send = |event| {
        // Inside the runtime: a timer cannot be made outside of it.
        let sent = runtime
            .block_on(async { tokio::time::timeout(CHUNK_TIMEOUT, events.send(event)).await });
        sent.ok().and_then(Result::ok).ok_or(Gone)
    };
    let started = Instant::now();
    let answer = permit
        .run(&reader, request, &mut |bytes| send(Event::Bytes(bytes)))
        .map_err(|error| error.reported(store));
    times.query(&request.query, outcome(answer.as_ref()), started.elapsed());
    // Whoever is not there any more needs no end.
    let _ = send(Event::End(answer));
}

/// A query's end as one word.
fn outcome(answer: Result<&Summary, &SqlError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(SqlError::Refused { .. }) => "refused",
        Err(SqlError::Syntax { .. }) => "syntax",
        Err(SqlError::Invalid { .. }) => "invalid",
        Err(SqlError::Unsupported { .. }) => "unsupported",
        Err(SqlError::Deadline { .. }) => "deadline",
        Err(SqlError::Memory { .. }) => "memory",
        Err(SqlError::Busy { .. }) => "busy",
        Err(SqlError::Gone) => "gone",
        Err(SqlError::Damaged | SqlError::Failed { .. }) => "failed",
    }
}
