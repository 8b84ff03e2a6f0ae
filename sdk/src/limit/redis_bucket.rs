//! A token bucket that many instances share through Redis, with a local one for when it is away.

use std::sync::Mutex;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, Script};

use crate::breaker::{BreakerConfig, CircuitBreaker, OpenTime, Outcome, WindowConfig};
use crate::clock::{Clock, MonotonicClock, seconds};
use crate::random::Jitter;

use super::{Decision, RateLimit, TokenBucket};

/// Where a decision was made.
///
/// ```
/// use tripline_sdk::DecidedBy;
/// assert_ne!(DecidedBy::Redis, DecidedBy::Local);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// In Redis, for all instances together.
    Redis,
    /// Here, because Redis did not answer.
    Local,
}

/// The settings of a [`RedisBucket`].
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::RedisBucketConfig;
/// let config = RedisBucketConfig { local_share: 0.25, ..RedisBucketConfig::new(100.0, 200) };
/// assert_eq!(config.timeout, Duration::from_millis(50));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RedisBucketConfig {
    /// Tokens a second, for all instances together.
    pub per_second: f64,
    /// The size of the bucket, for all instances together.
    pub size: u32,
    /// How long Redis may take to answer.
    pub timeout: Duration,
    /// The share of rate and size this instance gives itself while Redis is away; one over the
    /// number of instances keeps the total.
    pub local_share: f64,
}

impl RedisBucketConfig {
    /// All of the rate while Redis is away, which answers within 50 ms.
    ///
    /// ```
    /// use tripline_sdk::RedisBucketConfig;
    /// let config = RedisBucketConfig::new(100.0, 200);
    /// assert_eq!((config.per_second, config.size), (100.0, 200));
    /// assert_eq!(config.local_share, 1.0);
    /// ```
    #[must_use]
    pub const fn new(per_second: f64, size: u32) -> Self {
        Self {
            per_second,
            size,
            timeout: Duration::from_millis(50),
            local_share: 1.0,
        }
    }
}

/// A token bucket kept in Redis, changed there by one script in one step.
///
/// While Redis does not answer, a local bucket decides. A circuit breaker keeps a Redis that is
/// away from costing each call its timeout.
///
/// ```no_run
/// use tripline_sdk::{DecidedBy, RedisBucket, RedisBucketConfig};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = RedisBucketConfig::new(100.0, 200);
/// let limit = RedisBucket::new("redis://127.0.0.1:6379", "limit:checkout", config)?;
/// let (decision, by) = limit.check(1).await;
/// if !decision.allowed {
///     println!("again in {:?}, says {by:?}", decision.retry_after);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RedisBucket {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
    key: String,
    script: Script,
    config: RedisBucketConfig,
    local: TokenBucket,
    breaker: CircuitBreaker,
    clock: MonotonicClock,
}

/// The address of the Redis server is none.
///
/// ```
/// use tripline_sdk::{RedisBucket, RedisBucketConfig};
/// let refused = RedisBucket::new("not an address", "key", RedisBucketConfig::new(1.0, 1));
/// assert!(refused.is_err());
/// ```
#[derive(Debug)]
pub struct InvalidRedisAddress(RedisError);

impl std::fmt::Display for InvalidRedisAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the address of the redis server cannot be used")
    }
}

impl std::error::Error for InvalidRedisAddress {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl RedisBucket {
    /// A bucket under `key` on the server at `address` (`redis://host:port/database`). Connects when
    /// it is first asked.
    ///
    /// ```
    /// use tripline_sdk::{RedisBucket, RedisBucketConfig};
    /// let config = RedisBucketConfig::new(100.0, 200);
    /// // No server has to run for this.
    /// assert!(RedisBucket::new("redis://127.0.0.1:6379/0", "limit:checkout", config).is_ok());
    /// assert!(RedisBucket::new("127.0.0.1", "limit:checkout", config).is_err(), "no scheme");
    /// ```
    ///
    /// # Errors
    /// The address is none.
    pub fn new(
        address: &str,
        key: &str,
        config: RedisBucketConfig,
    ) -> Result<Self, InvalidRedisAddress> {
        let clock = MonotonicClock::default();
        let share = config.local_share.clamp(0.0, 1.0);
        let local_size = (f64::from(config.size) * share).ceil() as u32;
        let local = TokenBucket::new(config.per_second * share, local_size, clock.now());
        // Three failures in a row, then a look every second or so.
        let watch = BreakerConfig::new()
            .only_consecutive(3)
            .window(WindowConfig::Count { size: 16 })
            .open(OpenTime {
                base: Duration::from_millis(500),
                max: Duration::from_secs(2),
                jitter: Jitter::PlusMinus(0.2),
                ..OpenTime::default()
            });
        let breaker = CircuitBreaker::new("redis", watch).expect("these settings are valid");
        Ok(Self {
            client: Client::open(address).map_err(InvalidRedisAddress)?,
            connection: Mutex::new(None),
            key: key.to_owned(),
            script: Script::new(include_str!("redis_bucket.lua")),
            config,
            local,
            breaker,
            clock,
        })
    }

    /// Asks for `cost` tokens, and takes them if they are there: all or none. Never fails: without
    /// Redis the local bucket answers.
    ///
    /// ```
    /// use tripline_sdk::{DecidedBy, RedisBucket, RedisBucketConfig};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tripline_sdk::InvalidRedisAddress> {
    /// // Nobody listens at this port.
    /// let config = RedisBucketConfig::new(100.0, 200);
    /// let limit = RedisBucket::new("redis://127.0.0.1:1", "limit:checkout", config)?;
    /// let (decision, by) = limit.check(1).await;
    /// assert_eq!((decision.allowed, by), (true, DecidedBy::Local));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check(&self, cost: u32) -> (Decision, DecidedBy) {
        if let Ok(permit) = self.breaker.acquire() {
            let asked = tokio::time::timeout(self.config.timeout, self.ask(cost)).await;
            if let Ok(Ok((allowed, thousandths))) = asked {
                permit.finish(Outcome::Success);
                return (self.decision(cost, allowed, thousandths), DecidedBy::Redis);
            }
            permit.finish(Outcome::Failure);
            // The next call connects anew.
            *crate::sync::lock(&self.connection) = None;
        }
        (self.local.check(cost, self.clock.now()), DecidedBy::Local)
    }

    /// The breaker that watches Redis.
    ///
    /// ```
    /// use tripline_sdk::{RedisBucket, RedisBucketConfig, State};
    /// let config = RedisBucketConfig::new(100.0, 200);
    /// let limit = RedisBucket::new("redis://127.0.0.1:6379", "limit:checkout", config)?;
    /// assert_eq!(limit.breaker().name(), "redis");
    /// assert_eq!(limit.breaker().state(), State::Closed);
    /// # Ok::<(), tripline_sdk::InvalidRedisAddress>(())
    /// ```
    #[must_use]
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    async fn ask(&self, cost: u32) -> Result<(bool, u64), RedisError> {
        let mut connection = self.connect().await?;
        let mut call = self.script.key(&self.key);
        call.arg(self.config.per_second)
            .arg(self.config.size)
            .arg(cost);
        call.invoke_async(&mut connection).await
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let kept = crate::sync::lock(&self.connection).clone();
        if let Some(connection) = kept {
            return Ok(connection);
        }
        let connection = self.client.get_multiplexed_async_connection().await?;
        *crate::sync::lock(&self.connection) = Some(connection.clone());
        Ok(connection)
    }

    fn decision(&self, cost: u32, allowed: bool, thousandths: u64) -> Decision {
        let tokens = thousandths as f64 / 1_000.0;
        let (size, cost) = (f64::from(self.config.size), f64::from(cost));
        let time_for = |tokens: f64| seconds(tokens / self.config.per_second);
        Decision {
            allowed,
            retry_after: (!allowed && cost <= size).then(|| time_for(cost - tokens)),
            remaining: thousandths / 1_000,
            limit: u64::from(self.config.size),
            reset_after: time_for(size - tokens),
        }
    }
}
