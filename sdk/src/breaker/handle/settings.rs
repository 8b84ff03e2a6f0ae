//! Settings on their way to whoever listens: the newest are told last.
//!
//! Settings are told outside every lock, by the thread that changed them, so two threads could tell
//! theirs in the wrong order. Hence one tells at a time, and goes on for as long as there are newer
//! ones; who comes meanwhile leaves theirs to it. Settings that stay the same are not told again:
//! told twice they mean that the breaker was made anew. Compared is what was told last, for whoever
//! heard of a change may have taken it back by now.

use crate::breaker::BreakerConfig;
use crate::clock::Moment;
use crate::sync::{Mutex, lock};

/// What listeners were told of a breaker's settings.
#[derive(Debug)]
pub(super) struct ToldSettings(Mutex<Told>);

#[derive(Debug)]
struct Told {
    config: BreakerConfig,
    /// Since when the settings in force hold.
    since: Moment,
    /// A thread is telling its listener.
    is_telling: bool,
}

/// The right to tell, which ends also where a listener panics.
pub(super) struct Telling<'a> {
    told: &'a ToldSettings,
    pub(super) since: Moment,
    pub(super) config: BreakerConfig,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        lock(&self.told.0).is_telling = false;
    }
}

impl ToldSettings {
    /// Of a breaker that was just made. Nobody tells others before [`ToldSettings::first`] are told.
    pub(super) fn untold(since: Moment, config: BreakerConfig) -> Self {
        Self(Mutex::new(Told {
            config,
            since,
            is_telling: true,
        }))
    }

    /// The right to tell the settings that the breaker was made with, to be asked for once.
    pub(super) fn first(&self, made: Moment) -> Telling<'_> {
        Telling {
            told: self,
            since: made,
            config: lock(&self.0).config,
        }
    }

    /// Other settings are in force; said in the turn in which that came about.
    pub(super) fn changed(&self, since: Moment) {
        lock(&self.0).since = since;
    }

    /// The right to tell `config`, the settings in force as read in a turn; `None` if they were told
    /// already, or another thread is telling: that one comes back for them.
    pub(super) fn news(&self, config: BreakerConfig) -> Option<Telling<'_>> {
        let mut told = lock(&self.0);
        // A seed is no setting.
        let seed = told.config.seed;
        if told.is_telling || (BreakerConfig { seed, ..config }) == told.config {
            return None;
        }
        told.config = config;
        told.is_telling = true;
        Some(Telling {
            told: self,
            since: told.since,
            config,
        })
    }
}
