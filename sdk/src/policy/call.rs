//! Makes a call under a policy: one try after the other, each through all parts.

use std::time::Duration;

use super::{Parts, Policy, one_clock};
use crate::breaker::{Outcome, Permit, Rejection};
use crate::bulkhead::Bulkhead;
use crate::classify::{Classify, DefaultClassifier};
use crate::clock::{Clock, Moment};
use crate::layer::InTime;
use crate::refusal::{Error, Refusal};

impl<C: Clock, D: Clock> Policy<C, D> {
    /// Makes a call under this policy: `make` is asked for each try.
    ///
    /// It takes no longer than the request it serves has left, if that came with a deadline
    /// ([`Deadline`](crate::Deadline)).
    ///
    /// Dropping the future gives everything back; a try in flight counts as cancelled.
    ///
    /// ```
    /// use tripline_sdk::{Error, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let policy = Policy::builder("stock").build().unwrap();
    /// assert_eq!(policy.call(async || Ok::<_, String>(7)).await, Ok(7));
    /// let failed = policy.call(async || Err::<u32, _>("down")).await;
    /// assert_eq!(failed, Err(Error::Call("down")));
    /// # }
    /// ```
    ///
    /// # Errors
    /// The refusal of a part, or what the last try failed with.
    pub async fn call<T, E, F, A>(&self, make: F) -> Result<T, Error<E>>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
    {
        self.call_classified(make, &DefaultClassifier).await
    }

    /// [`Policy::call`], with a say in what counts as a failure.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Error, Outcome, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let by_status = |result: Result<&u16, &Error<String>>| match result {
    ///     Ok(status) if *status < 500 => Outcome::Success,
    ///     _ => Outcome::Failure,
    /// };
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
    /// let policy = Policy::builder("stock")
    ///     .breaker(breaker.clone())
    ///     .timeout(Duration::from_secs(1))
    ///     .build()
    ///     .unwrap();
    /// let answer = policy.call_classified(async || Ok::<u16, String>(503), &by_status).await;
    /// assert_eq!(answer, Ok(503));
    /// assert_eq!(breaker.snapshot().totals.failure, 1, "an answer, but a failure");
    /// # }
    /// ```
    ///
    /// # Errors
    /// The refusal of a part, or what the last try failed with.
    pub async fn call_classified<T, E, F, A>(
        &self,
        make: F,
        classify: &impl Classify<T, Error<E>>,
    ) -> Result<T, Error<E>>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
    {
        let tries = self.tries(&make, classify);
        match crate::deadline::bounded(self.parts.deadline) {
            None => tries.await,
            // Nobody waits for it any more.
            Some(Duration::ZERO) => {
                self.tally.exceeded(Duration::ZERO);
                Err(Error::Refused(Refusal::DeadlineExceeded))
            }
            Some(deadline) => InTime::new(tries, deadline).await.unwrap_or_else(|_| {
                self.tally.exceeded(deadline);
                Err(Error::Refused(Refusal::DeadlineExceeded))
            }),
        }
    }

    /// [`Policy::call`], with an answer for when it fails.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let policy = tripline_sdk::Policy::builder("stock").build().unwrap();
    /// let call = async || Err::<u32, _>(std::io::Error::other("down"));
    /// assert_eq!(policy.call_or(call, async |_| 0).await, 0);
    /// # }
    /// ```
    pub async fn call_or<T, E, F, A, B>(&self, make: F, fallback: impl FnOnce(Error<E>) -> B) -> T
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
        B: Future<Output = T>,
    {
        match self.call(make).await {
            Ok(answer) => answer,
            Err(error) => {
                self.tally.fell_back();
                fallback(error).await
            }
        }
    }

    async fn tries<T, E, F, A>(
        &self,
        make: &F,
        classify: &impl Classify<T, Error<E>>,
    ) -> Result<T, Error<E>>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
    {
        let parts = &*self.parts;
        let mut waited = Duration::ZERO;
        let mut attempt = 1;
        loop {
            let (result, outcome) = self.one_try(attempt, make, classify).await;
            self.tally
                .tried(result.as_ref().err().and_then(Error::refusal));
            let Some(delay) = parts.next_delay(attempt, waited, &result, outcome) else {
                let failed = outcome.is_none_or(Outcome::is_failure);
                self.tally.finished(attempt, !failed);
                return result;
            };
            self.tally.tries_again();
            tokio::time::sleep(delay).await;
            waited = delay;
            attempt += 1;
        }
    }

    /// One try, with what it counted as; nothing if the breaker refused it.
    async fn one_try<T, E, F, A>(
        &self,
        attempt: u32,
        make: &F,
        classify: &impl Classify<T, Error<E>>,
    ) -> (Result<T, Error<E>>, Option<Outcome>)
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
    {
        let parts = &*self.parts;
        // A look at the clock costs as much as a breaker: one for all of the way in.
        let now = parts.clock.now();
        let permit = match parts.acquire(now).transpose() {
            Ok(permit) => permit,
            Err(rejection) => return (Err(Refusal::Breaker(rejection).into()), None),
        };
        if let Some(budget) = parts.budget.as_ref().filter(|_| attempt == 1) {
            // Calls pay, retries do not: else retries would pay for retries.
            budget.earn();
        }
        let limited = self.limited(make, now);
        let result = match parts.timeout {
            None => limited.await,
            Some(after) => InTime::new(limited, after)
                .await
                .unwrap_or(Err(Error::Refused(Refusal::Timeout { after }))),
        };
        let outcome = classify.classify(result.as_ref());
        if let Some(permit) = permit {
            permit.finish(outcome);
        }
        (result, Some(outcome))
    }

    async fn limited<T, E, F, A>(&self, make: &F, now: Moment) -> Result<T, Error<E>>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
    {
        let parts = &*self.parts;
        if let Some(limiter) = &parts.limiter {
            let decision = limiter.check(1, now);
            if !decision.allowed {
                let retry_after = decision.retry_after;
                return Err(Refusal::RateLimited { retry_after }.into());
            }
        }
        let place = parts.bulkhead.as_ref().map(Bulkhead::try_borrow);
        if matches!(place, Some(None)) {
            return Err(Refusal::BulkheadFull.into());
        }
        make().await.map_err(Error::Call)
    }
}

impl<C: Clock, D: Clock> Parts<C, D> {
    /// A permit of the breaker, if there is one, for a call at `now`.
    fn acquire(&self, now: Moment) -> Option<Result<Permit<'_, D>, Rejection>> {
        let breaker = self.breaker.as_ref()?;
        Some(if one_clock::<C, D>() {
            breaker.acquire_at(now)
        } else {
            breaker.acquire()
        })
    }

    /// How long to wait before the next try; nothing if there is none. Rejections, and results
    /// that say nothing about the peer, are final and cost nothing.
    fn next_delay<T, E>(
        &self,
        attempt: u32,
        waited: Duration,
        result: &Result<T, Error<E>>,
        outcome: Option<Outcome>,
    ) -> Option<Duration> {
        let retry = self.retry.as_ref()?;
        let hint = match outcome? {
            Outcome::Success | Outcome::Ignore => return None,
            Outcome::Failure => result
                .as_ref()
                .err()
                .and_then(Error::refusal)
                .and_then(Refusal::retry_after),
            Outcome::Overload { retry_after } => retry_after,
        };
        let delay = retry.next_delay(attempt, waited, hint, &self.chance)?;
        let paid = self
            .budget
            .as_ref()
            .is_none_or(|budget| budget.try_withdraw(self.clock.now()));
        paid.then_some(delay)
    }
}
