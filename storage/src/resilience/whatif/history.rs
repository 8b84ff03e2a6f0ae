//! What was recorded of one life of a breaker: from when an instance made it until that began anew.

use std::time::Duration;

use tripline_sdk::{BreakerConfig, Mode};

/// What is announced of an open time is cut to whole milliseconds; nobody who came found it half-open before its end.
const CUT_NS: u64 = 999_999;

/// How a recorded call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The callee did its job.
    Success,
    /// It did not.
    Failure,
    /// Says nothing about the callee.
    Ignored,
    /// Dropped by its caller.
    Cancelled,
    /// Refused: nothing is known of what would have been.
    Rejected,
}

impl Ended {
    /// The words of `circuit_breaker.outcome`, and what each means; slowness is judged anew by the settings replayed.
    pub const WORDS: [(&'static str, Self); 7] = [
        ("success", Self::Success),
        ("failure", Self::Failure),
        ("rejected", Self::Rejected),
        ("slow_success", Self::Success),
        ("slow_failure", Self::Failure),
        ("ignored", Self::Ignored),
        ("cancelled", Self::Cancelled),
    ];

    /// From one of [`Self::WORDS`].
    pub fn of_word(word: &str) -> Option<Self> {
        let mut words = Self::WORDS.iter();
        let known = words.find(|(known, _)| *known == word);
        known.map(|(_, ended)| *ended)
    }
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Nanoseconds since 1970.
    pub start: i64,
    /// Nanoseconds.
    pub duration: u64,
    /// How it ended.
    pub ended: Ended,
    /// Its place among the calls of the same nanosecond.
    pub turns: Turns,
}

/// The turns of its breaker in which a call was let through, or refused, and in which its result counted. Turns never go back in
/// time, so they only matter where times are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns {
    /// Of its beginning.
    pub admitted: u64,
    /// Of its end.
    pub ended: u64,
}

impl Turns {
    /// Of a call that does not say: after all that do.
    pub const UNKNOWN: Self = Self {
        admitted: u64::MAX,
        ended: u64::MAX,
    };

    /// As a call says. Where it was refused its end is its beginning, also where an earlier call of the same span has left
    /// another one.
    pub fn told(admitted: Option<u64>, ended: Option<u64>) -> Self {
        admitted.map_or(Self::UNKNOWN, |admitted| Self {
            admitted,
            ended: ended.unwrap_or(0).max(admitted),
        })
    }
}

impl Call {
    /// When it ended, nanoseconds since 1970.
    pub fn end(&self) -> i64 {
        self.start.saturating_add_unsigned(self.duration)
    }
}

/// One change of state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Nanoseconds since 1970; the latest it can have been.
    pub at: i64,
    /// The earliest it can have been.
    pub lo: i64,
    /// State before.
    pub from: String,
    /// State after.
    pub to: String,
    /// Why, if reported.
    pub reason: Option<String>,
    /// For how long it opened, milliseconds, if reported.
    pub open_for_ms: Option<u32>,
    /// Its number, which the breaker counts from when it was made, if reported.
    pub generation: Option<u64>,
}

impl Change {
    /// Whether it opened from closed.
    pub fn is_trip(&self) -> bool {
        self.to == "open" && self.from != "half_open" && self.from != "open"
    }

    /// Whether it says that the process began anew, which no breaker does.
    pub fn is_restart(&self) -> bool {
        self.reason.as_deref() == Some("restart")
    }

    /// Whether somebody outside the state machine caused it.
    pub fn is_from_outside(&self) -> bool {
        matches!(self.reason.as_deref(), Some("manual" | "external"))
    }

    /// How long an opening lasted, jitter and server hints included: until `next`, if that half-opened, else as announced;
    /// zero where neither is known.
    pub fn open_time(&self, next: Option<&Self>) -> Duration {
        let tried = next.filter(|next| next.to == "half_open");
        let lasted = tried.and_then(|next| u64::try_from(next.at.saturating_sub(self.at)).ok());
        let announced = self.open_for_ms.filter(|length| *length > 0);
        match (lasted, announced) {
            (Some(lasted), _) => Duration::from_nanos(lasted),
            (None, Some(length)) => {
                Duration::from_millis(u64::from(length)) + Duration::from_nanos(CUT_NS)
            }
            (None, None) => Duration::ZERO,
        }
    }
}

/// Who decides in a state, if that is one of a breaker.
pub fn mode_of(state: &str) -> Option<Mode> {
    Some(match state {
        "closed" | "open" | "half_open" => Mode::Enforcing,
        "metrics_only" => Mode::MetricsOnly,
        "forced_open" => Mode::ForcedOpen,
        "disabled" => Mode::Disabled,
        _ => return None,
    })
}

/// Settings, and since when they hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// Nanoseconds since 1970.
    pub at: i64,
    /// What the breaker was told.
    pub config: BreakerConfig,
}

/// How a breaker is when its replay begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// Closed, or what its mode makes of that, with nothing in its window yet.
    #[default]
    Closed,
    /// Open since `at`, nanoseconds since 1970, for so long; zero is what the settings say.
    Open {
        /// When it opened.
        at: i64,
        /// How long that lasts.
        length: Duration,
    },
}

/// What is recorded of one life.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// When the breaker's clock began: the buckets of its window are counted from then.
    pub origin: i64,
    /// Begin of what is asked for. What was before only brings the breaker into the state it was in then.
    pub from: i64,
    /// Its end, excluded.
    pub until: i64,
    /// How it was when the first of its calls began.
    pub start: Start,
    /// What it was told, in order; the first holds from the beginning on. A change of who decides is among them.
    pub settings: Vec<Told>,
    /// Ordered by start, and then by turn.
    pub calls: Vec<Call>,
    /// From `from` until `until`, ordered by time.
    pub changes: Vec<Change>,
}

impl Default for History {
    /// Of all times, and nothing in it.
    fn default() -> Self {
        Self {
            origin: 0,
            from: i64::MIN,
            until: i64::MAX,
            start: Start::Closed,
            settings: Vec::new(),
            calls: Vec::new(),
            changes: Vec::new(),
        }
    }
}

impl History {
    /// The calls that are asked for: those that began before are not.
    pub fn asked(&self) -> &[Call] {
        let first = self.calls.partition_point(|call| call.start < self.from);
        &self.calls[first..]
    }

    /// The settings that hold in the time that is asked for.
    pub fn held(&self) -> &[Told] {
        let first = self.settings.iter().rposition(|told| told.at <= self.from);
        &self.settings[first.unwrap_or(0)..]
    }

    /// How long it was open each time.
    pub fn open_times(&self) -> Vec<Duration> {
        let nexts = self.changes.iter().skip(1).map(Some).chain([None]);
        self.changes
            .iter()
            .zip(nexts)
            .filter(|(change, _)| change.to == "open")
            .map(|(change, next)| change.open_time(next))
            .collect()
    }
}
