//! The order of the parts of a policy, and why the wrong ones are wrong.

use std::fmt;

/// A part of a policy, from the outside in.
///
/// ```
/// use tripline_sdk::Part;
/// assert!(Part::Retry < Part::Breaker, "the retry is outside the breaker");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The time all of it may take.
    Deadline,
    /// What to answer instead.
    Fallback,
    /// Trying again.
    Retry,
    /// The circuit breaker.
    Breaker,
    /// The time one try may take.
    Timeout,
    /// The rate limit.
    RateLimit,
    /// The cap on calls at once.
    Bulkhead,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "deadline",
            Self::Fallback => "fallback",
            Self::Retry => "retry",
            Self::Breaker => "breaker",
            Self::Timeout => "per-try timeout",
            Self::RateLimit => "rate limit",
            Self::Bulkhead => "bulkhead",
        })
    }
}

/// A policy that would do harm.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, Policy};
/// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
/// let refused = Policy::builder("stock").breaker(breaker).build().unwrap_err();
/// assert!(refused.to_string().contains("hangs"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// The breaker is outside its retry.
    BreakerOutsideRetry,
    /// The retry repeats what the breaker refused.
    RetriesRejections,
    /// The breaker has no timeout inside it.
    BreakerWithoutTimeout,
    /// The same part twice.
    Twice(Part),
    /// Two parts the wrong way round.
    Order {
        /// The part that was added first, that is outside.
        outer: Part,
        /// The part that was added inside it.
        inner: Part,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BreakerOutsideRetry => f.write_str(
                "the breaker is outside its retry: it would see one result for several tries and \
                 open too late, and the retry would go on hammering a peer it should spare; put \
                 the retry outside the breaker",
            ),
            Self::RetriesRejections => f.write_str(
                "the retry repeats calls the breaker refused: the same peer will refuse them again \
                 until its open time is over; let rejections pass",
            ),
            Self::BreakerWithoutTimeout => f.write_str(
                "the breaker has no per-try timeout inside it: a peer that hangs returns nothing, \
                 so hangs would never count as failures; add a timeout after the breaker",
            ),
            Self::Twice(part) => write!(f, "the {part} is there twice"),
            Self::Order { outer, inner } => write!(
                f,
                "the {outer} is outside the {inner}: the order is deadline > fallback > retry > \
                 breaker > per-try timeout > rate limit > bulkhead, so that each part sees what it \
                 has to judge",
            ),
        }
    }
}

impl std::error::Error for PolicyError {}

/// Whether parts in this order, outermost first, do what they promise.
pub(crate) fn check(parts: &[Part], retries_rejections: bool) -> Result<(), PolicyError> {
    let place = |part: Part| parts.iter().position(|other| *other == part);
    for (index, part) in parts.iter().enumerate() {
        if parts[..index].contains(part) {
            return Err(PolicyError::Twice(*part));
        }
    }
    if let (Some(breaker), Some(retry)) = (place(Part::Breaker), place(Part::Retry)) {
        if breaker < retry {
            return Err(PolicyError::BreakerOutsideRetry);
        }
        if retries_rejections {
            return Err(PolicyError::RetriesRejections);
        }
    }
    if let Some(breaker) = place(Part::Breaker)
        && place(Part::Timeout).is_none_or(|timeout| timeout < breaker)
    {
        return Err(PolicyError::BreakerWithoutTimeout);
    }
    for pair in parts.windows(2) {
        if pair[0] > pair[1] {
            return Err(PolicyError::Order {
                outer: pair[0],
                inner: pair[1],
            });
        }
    }
    Ok(())
}
