//! The last few calls that failed or were slow: the evidence a transition takes along.

use crate::clock::Moment;

use super::{CONTRIBUTING_MAX, CallId};

#[derive(Debug, Default)]
pub(crate) struct RecentCalls {
    calls: [(CallId, Moment); CONTRIBUTING_MAX],
    written: usize,
}

impl RecentCalls {
    pub(crate) fn push(&mut self, call: CallId, at: Moment) {
        self.calls[self.written % CONTRIBUTING_MAX] = (call, at);
        self.written += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.written = 0;
    }

    /// Those since `oldest`, newest first.
    pub(crate) fn since(&self, oldest: Moment) -> [Option<CallId>; CONTRIBUTING_MAX] {
        let mut found = [None; CONTRIBUTING_MAX];
        let kept = self.written.min(CONTRIBUTING_MAX);
        let newest_first =
            (0..kept).map(|age| self.calls[(self.written - 1 - age) % CONTRIBUTING_MAX]);
        let fresh = newest_first.filter(|(_, at)| *at >= oldest);
        for (place, (call, _)) in found.iter_mut().zip(fresh) {
            *place = Some(call);
        }
        found
    }
}
