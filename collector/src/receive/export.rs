//! The one path every signal of every protocol takes: unpack and decode, append, count.
//!
//! A request is appended whole or not at all. Once its batch is handed to the store nothing undoes it: a client
//! that hangs up or runs out of time may find its data stored, which OTLP allows. So items are counted by what became of
//! them and requests by what their clients heard, and items that are stored though nobody heard of it by themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::Receiver;
use super::budget::Seat;
use super::counters::{Counters, Transport};
use super::decompress::{Coding, decompress};
use super::media::Media;
use super::refusal::Refusal;
use crate::decode::{Decoded, Signal};

/// Packed bytes from which decoding moves off the threads that serve sockets (about a millisecond of work).
const INLINE_BYTES_MAX: usize = 512 * 1024;

/// A request as it came, and the bytes it holds of the budget.
pub(super) struct Payload {
    pub(super) transport: Transport,
    pub(super) media: Media,
    pub(super) coding: Coding,
    pub(super) body: Bytes,
    pub(super) seat: Seat,
}

/// What the client hears of an accepted request.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    pub(super) rejected: u64,
    pub(super) message: String,
}

/// Decodes and appends one request; returns when it is committed.
pub(super) async fn export<S: Signal>(
    receiver: &Receiver,
    payload: Payload,
) -> Result<Accepted, Refusal> {
    let (transport, seat) = (payload.transport, payload.seat.clone());
    let limit = receiver.config.request_bytes_max;
    let small = payload.body.len() <= INLINE_BYTES_MAX && payload.coding == Coding::Identity
        || payload.body.len() <= INLINE_BYTES_MAX / 8;
    let decoded = if small {
        decode::<S>(payload, limit)?
    } else {
        let work = tokio::task::spawn_blocking(move || decode::<S>(payload, limit));
        work.await.map_err(|_| Refusal::Internal)??
    };
    let accepted = Accepted {
        rejected: decoded.rejected(),
        message: decoded.reason().unwrap_or_default(),
    };
    let stored = append::<S>(receiver, transport, decoded, seat).await?;
    stored.heard();
    Ok(accepted)
}

/// Unpacks and decodes; a panic in there is a refusal, not the end of the server.
fn decode<S: Signal>(payload: Payload, limit: usize) -> Result<Decoded, Refusal> {
    let decoding = AssertUnwindSafe(|| {
        let body = decompress(payload.coding, payload.body, limit, &payload.seat)?;
        let decoded = match payload.media {
            Media::Protobuf => S::from_protobuf(&body, now_unix_nano()),
            Media::Json => S::from_json(&body, now_unix_nano()),
        };
        Ok(decoded?)
    });
    catch_unwind(decoding).unwrap_or_else(|_| {
        tracing::error!(
            signal = S::NAME,
            "a decoder panicked; the request is refused"
        );
        Err(Refusal::Internal)
    })
}

/// Hands the batch to the store, in a task of its own so that a client hanging up cannot leave it uncounted.
async fn append<S: Signal>(
    receiver: &Receiver,
    transport: Transport,
    Decoded { batch, dropped }: Decoded,
    seat: Seat,
) -> Result<Stored, Refusal> {
    let (items, bytes) = (batch.items() as u64, batch.bytes as u64);
    let place = receiver.gate.enter()?;
    let receiver = receiver.clone();
    let task = async move {
        let _held = (place, seat);
        let appended = match items {
            0 => Ok(()),
            _ => receiver.sink.append(batch).await.map_err(Refusal::from),
        };
        let counters = &receiver.counters;
        if let Err(refusal) = appended {
            counters.refuse_items(S::NAME, transport, &refusal, items);
            return Err(refusal);
        }
        counters.store(S::NAME, transport, items, bytes);
        counters.drop_items(S::NAME, transport, &dropped);
        Ok(Stored {
            counters: Arc::clone(counters),
            signal: S::NAME,
            transport,
            items,
            is_heard: false,
        })
    };
    tokio::spawn(task).await.map_err(|_| Refusal::Internal)?
}

/// A stored request whose client is yet to be answered. Dropped without [`Stored::heard`], it counts as unheard: its client
/// hung up, or was refused at its deadline.
struct Stored {
    counters: Arc<Counters>,
    signal: &'static str,
    transport: Transport,
    items: u64,
    is_heard: bool,
}

impl Stored {
    /// The client is answered.
    fn heard(mut self) {
        self.is_heard = true;
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        if self.is_heard {
            self.counters.accept(self.signal, self.transport);
        } else {
            self.counters
                .leave_unheard(self.signal, self.transport, self.items);
        }
    }
}

fn now_unix_nano() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Malformed, Traces};
    use crate::receive::budget::Budget;

    struct Panics;

    impl Signal for Panics {
        type Request = <Traces as Signal>::Request;
        type Response = <Traces as Signal>::Response;
        const NAME: &'static str = "traces";
        const ITEMS: &'static str = "spans";
        fn decode_json(_: &[u8]) -> Result<Self::Request, Malformed> {
            panic!("on purpose")
        }
        fn encode_json(_: &Self::Request) -> String {
            panic!("on purpose")
        }
        fn columns(_: Self::Request, _: u64) -> Decoded {
            panic!("on purpose")
        }
        fn response(rejected: u64, message: String) -> Self::Response {
            Traces::response(rejected, message)
        }
        fn response_json(rejected: u64, message: &str) -> String {
            Traces::response_json(rejected, message)
        }
    }

    #[test]
    fn z10_a_panic_in_a_decoder_is_an_internal_error_that_gives_its_bytes_back() {
        let budget = Budget::new(1_000_000);
        for media in [Media::Json, Media::Protobuf] {
            let seat = budget.seat();
            seat.add(2).expect("room");
            let payload = Payload {
                transport: Transport::Http,
                media,
                coding: Coding::Identity,
                body: Bytes::from_static(b""),
                seat,
            };
            assert_eq!(
                decode::<Panics>(payload, 100).err(),
                Some(Refusal::Internal)
            );
        }
        assert_eq!(budget.held(), 0);
    }
}
