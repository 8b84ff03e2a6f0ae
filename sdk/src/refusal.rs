//! What a policy answers instead of making a call, and the one error type all of them share.

use std::fmt;
use std::time::Duration;

use crate::breaker::Rejection;

/// A call that was not made, or was given up on, by a policy rather than by the peer.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::Refusal;
/// let refused = Refusal::RateLimited { retry_after: Some(Duration::from_secs(1)) };
/// assert_eq!(refused.to_string(), "rate limit exceeded");
/// assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The circuit breaker refused it.
    Breaker(Rejection),
    /// One try took longer than this.
    Timeout {
        /// The timeout.
        after: Duration,
    },
    /// The whole work took longer than it may.
    DeadlineExceeded,
    /// The rate limit is used up.
    RateLimited {
        /// When a permit is free.
        retry_after: Option<Duration>,
    },
    /// Too many calls are in flight.
    BulkheadFull,
    /// The adaptive throttle refused it.
    Throttled,
    /// Less important than what else there is to do.
    Shed,
}

impl Refusal {
    /// When trying again makes sense, if that is known.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome, Refusal};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new().only_consecutive(1))?;
    /// breaker.acquire().unwrap().finish(Outcome::Failure);
    /// let open = Refusal::Breaker(breaker.acquire().unwrap_err());
    /// assert!(open.retry_after().is_some(), "when the breaker will probe");
    /// assert_eq!(Refusal::BulkheadFull.retry_after(), None, "nobody knows");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Breaker(rejection) => rejection.retry_after,
            Self::RateLimited { retry_after } => *retry_after,
            _ => None,
        }
    }

    /// Whether the call reached the peer: only then does it say something about it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::Refusal;
    /// assert!(Refusal::Timeout { after: Duration::from_secs(1) }.reached_peer());
    /// assert!(!Refusal::RateLimited { retry_after: None }.reached_peer());
    /// ```
    #[must_use]
    pub const fn reached_peer(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::DeadlineExceeded)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breaker(rejection) => rejection.fmt(f),
            Self::Timeout { after } => write!(f, "timed out after {after:?}"),
            Self::DeadlineExceeded => f.write_str("deadline exceeded"),
            Self::RateLimited { .. } => f.write_str("rate limit exceeded"),
            Self::BulkheadFull => f.write_str("too many calls in flight"),
            Self::Throttled => f.write_str("throttled: the peer refuses too many requests"),
            Self::Shed => f.write_str("shed under overload"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The error of a guarded call: a refusal, or whatever the call itself failed with.
///
/// ```
/// use tripline_sdk::{Error, Refusal};
/// let error: Error<std::io::Error> = Refusal::BulkheadFull.into();
/// assert_eq!(error.refusal(), Some(&Refusal::BulkheadFull));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// A policy said no.
    Refused(Refusal),
    /// The call failed.
    Call(E),
}

impl<E> Error<E> {
    /// The refusal, if it is one.
    ///
    /// ```
    /// use tripline_sdk::{Error, Refusal};
    /// let refused: Error<&str> = Error::Refused(Refusal::Throttled);
    /// assert_eq!(refused.refusal(), Some(&Refusal::Throttled));
    /// let failed = Error::Call("no such item");
    /// assert_eq!(failed.refusal(), None);
    /// ```
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Call(_) => None,
        }
    }
}

impl<E> From<Refusal> for Error<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Call(_) => f.write_str("the call failed"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Call(error) => Some(error),
        }
    }
}

/// An error that can carry a [`Refusal`] in and out: what lets layers nest without nesting their
/// errors.
///
/// ```
/// use tripline_sdk::{MaybeRefused, Refusal};
/// type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// let error: BoxError = Refusal::Shed.into();
/// assert_eq!(MaybeRefused::refusal(&error), Some(&Refusal::Shed));
/// ```
pub trait MaybeRefused: From<Refusal> {
    /// The refusal inside, if there is one.
    fn refusal(&self) -> Option<&Refusal>;
}

impl<E> MaybeRefused for Error<E> {
    fn refusal(&self) -> Option<&Refusal> {
        Error::refusal(self)
    }
}

impl MaybeRefused for Refusal {
    fn refusal(&self) -> Option<&Refusal> {
        Some(self)
    }
}

impl MaybeRefused for Box<dyn std::error::Error + Send + Sync> {
    fn refusal(&self) -> Option<&Refusal> {
        self.downcast_ref()
    }
}
