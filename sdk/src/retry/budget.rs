//! The retry budget: a bucket that calls fill by a fraction and retries empty by one.

use std::time::Duration;

use crate::clock::Moment;
use crate::sync::{AtomicU64, Ordering};

/// The settings of a [`RetryBudget`].
///
/// ```
/// use tripline_sdk::BudgetConfig;
/// assert_eq!(BudgetConfig::default().ratio, 0.2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetConfig {
    /// Retries each call pays for: 0.2 allows one retry for five calls.
    pub ratio: f64,
    /// Retries allowed a second whatever the calls, so that a quiet client can retry at all.
    pub min_per_second: f64,
    /// How long unspent retries keep; bounds what can be saved up.
    pub ttl: Duration,
}

impl Default for BudgetConfig {
    /// 20 % and ten a second, kept for ten seconds (Finagle, tower).
    fn default() -> Self {
        Self {
            ratio: 0.2,
            min_per_second: 10.0,
            ttl: Duration::from_secs(10),
        }
    }
}

/// Thousandths of a retry: what a call pays in.
const MILLI: f64 = 1_000.0;
const BALANCE_BITS: u32 = 24;
const BALANCE_MAX: u64 = (1 << BALANCE_BITS) - 1;

/// A budget shared by everything that repeats calls to the same peer: retries and hedges.
///
/// Over any stretch of time, retries ≤ saved up + ratio × calls + minimum × seconds. Spending is
/// one compare-and-swap: two threads cannot spend the same retry.
///
/// ```
/// use tripline_sdk::{BudgetConfig, Moment, RetryBudget};
///
/// let config = BudgetConfig { ratio: 0.5, min_per_second: 0.0, ..BudgetConfig::default() };
/// let budget = RetryBudget::new(config, Moment::ZERO);
/// budget.deposit(Moment::ZERO);
/// assert!(!budget.try_withdraw(Moment::ZERO), "half a retry");
/// budget.deposit(Moment::ZERO);
/// assert!(budget.try_withdraw(Moment::ZERO));
/// ```
#[derive(Debug)]
pub struct RetryBudget {
    /// `{milliseconds since the start 40 | thousandths of a retry 24}`.
    word: AtomicU64,
    origin: Moment,
    deposit: u64,
    refill_per_ms: f64,
    cap: u64,
    exhausted: AtomicU64,
}

impl RetryBudget {
    /// A budget that holds, at first, what the minimum rate saves up in one second.
    ///
    /// ```
    /// use tripline_sdk::{BudgetConfig, Moment, RetryBudget};
    /// let budget = RetryBudget::new(BudgetConfig::default(), Moment::ZERO);
    /// assert_eq!(budget.balance(Moment::ZERO), 10, "ten a second for a second");
    /// ```
    #[must_use]
    pub fn new(config: BudgetConfig, now: Moment) -> Self {
        let minimum = config.min_per_second.max(0.0);
        let saved = minimum * config.ttl.as_secs_f64() * MILLI;
        // Without a minimum a hundred calls' worth can be saved up.
        let cap = saved.max(100.0 * config.ratio * MILLI).max(MILLI) as u64;
        let cap = cap.min(BALANCE_MAX);
        Self {
            word: AtomicU64::new(((minimum * MILLI) as u64).min(cap)),
            origin: now,
            deposit: (config.ratio.max(0.0) * MILLI).round() as u64,
            refill_per_ms: minimum,
            cap,
            exhausted: AtomicU64::new(0),
        }
    }

    /// A call was made: it pays its share. Rejected calls pay nothing.
    ///
    /// ```
    /// use tripline_sdk::{BudgetConfig, Moment, RetryBudget};
    /// let config = BudgetConfig { ratio: 0.2, min_per_second: 0.0, ..BudgetConfig::default() };
    /// let budget = RetryBudget::new(config, Moment::ZERO);
    /// (0..5).for_each(|_| budget.deposit(Moment::ZERO));
    /// assert_eq!(budget.balance(Moment::ZERO), 1, "five calls pay for one retry");
    /// ```
    pub fn deposit(&self, now: Moment) {
        self.change(now, |balance| Some((balance + self.deposit).min(self.cap)));
    }

    /// [`RetryBudget::deposit`] without a look at the clock: what time refills comes on top when
    /// somebody asks for a retry.
    #[cfg(feature = "tower")]
    pub(crate) fn earn(&self) {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let balance = word & BALANCE_MAX;
            let next = (balance + self.deposit).min(self.cap.max(balance));
            if next == balance {
                return;
            }
            match self.word.compare_exchange_weak(
                word,
                word - balance + next,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return,
                Err(seen) => word = seen,
            }
        }
    }

    /// Takes one retry; false, and counted, if there is none.
    ///
    /// ```
    /// use tripline_sdk::{BudgetConfig, Moment, RetryBudget};
    /// let config = BudgetConfig { ratio: 0.0, min_per_second: 1.0, ..BudgetConfig::default() };
    /// let budget = RetryBudget::new(config, Moment::ZERO);
    /// assert!(budget.try_withdraw(Moment::ZERO));
    /// assert!(!budget.try_withdraw(Moment::from_millis(999)));
    /// assert!(budget.try_withdraw(Moment::from_millis(1_000)), "one a second");
    /// ```
    pub fn try_withdraw(&self, now: Moment) -> bool {
        let taken = self.change(now, |balance| balance.checked_sub(MILLI as u64));
        if !taken {
            self.exhausted.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Whole retries left.
    ///
    /// ```
    /// use tripline_sdk::{BudgetConfig, Moment, RetryBudget};
    /// let budget = RetryBudget::new(BudgetConfig::default(), Moment::ZERO);
    /// assert!(budget.try_withdraw(Moment::ZERO));
    /// assert_eq!(budget.balance(Moment::ZERO), 9);
    /// assert_eq!(budget.balance(Moment::from_millis(1_000)), 19);
    /// assert_eq!(budget.balance(Moment::from_millis(3_600_000)), 100, "ten seconds' worth keep");
    /// ```
    #[must_use]
    pub fn balance(&self, now: Moment) -> u64 {
        let (balance, _) = self.refilled(self.word.load(Ordering::Acquire), now);
        balance / MILLI as u64
    }

    /// How often there was none left.
    ///
    /// ```
    /// use tripline_sdk::{BudgetConfig, Moment, RetryBudget};
    /// let config = BudgetConfig { min_per_second: 0.0, ..BudgetConfig::default() };
    /// let budget = RetryBudget::new(config, Moment::ZERO);
    /// assert!(!budget.try_withdraw(Moment::ZERO), "no call has paid yet");
    /// assert_eq!(budget.exhausted(), 1);
    /// ```
    #[must_use]
    pub fn exhausted(&self) -> u64 {
        self.exhausted.load(Ordering::Relaxed)
    }

    fn refilled(&self, word: u64, now: Moment) -> (u64, u64) {
        let (then, balance) = (word >> BALANCE_BITS, word & BALANCE_MAX);
        let ms = (now.nanos_since(self.origin) / 1_000_000).max(then);
        // A retry is a thousand thousandths and a second a thousand milliseconds: the rates match.
        let refill = (ms - then) as f64 * self.refill_per_ms;
        // Time too short to refill anything is left for the next look.
        let moved = if refill >= 1.0 { ms } else { then };
        let balance = (balance + refill.min(self.cap as f64) as u64).min(self.cap.max(balance));
        (balance, moved)
    }

    fn change(&self, now: Moment, change: impl Fn(u64) -> Option<u64>) -> bool {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let (balance, ms) = self.refilled(word, now);
            let Some(balance) = change(balance) else {
                return false;
            };
            let next = ms << BALANCE_BITS | balance;
            match self
                .word
                .compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn retries_never_exceed_what_calls_and_time_have_paid_for(
            steps in prop::collection::vec((0_u64..500, any::<bool>()), 1..300),
            ratio in 0.0..1.0_f64,
            minimum in 0.0..50.0_f64,
        ) {
            let config = BudgetConfig { ratio, min_per_second: minimum, ..BudgetConfig::default() };
            let budget = RetryBudget::new(config, Moment::ZERO);
            let (mut ms, mut calls, mut retries) = (0, 0_u32, 0_u32);
            for (wait, is_call) in steps {
                ms += wait;
                let now = Moment::from_millis(ms);
                if is_call {
                    budget.deposit(now);
                    calls += 1;
                } else if budget.try_withdraw(now) {
                    retries += 1;
                }
                let paid = f64::from(calls) * (ratio + 0.0005)
                    + minimum * (1.0 + ms as f64 / 1_000.0);
                prop_assert!(f64::from(retries) <= paid + 1e-6, "{retries} retries, {paid} paid");
            }
        }
    }

    #[test]
    fn racing_threads_cannot_spend_the_same_retry() {
        let config = BudgetConfig {
            ratio: 1.0,
            min_per_second: 0.0,
            ..BudgetConfig::default()
        };
        let budget = RetryBudget::new(config, Moment::ZERO);
        (0..50).for_each(|_| budget.deposit(Moment::ZERO));
        let spent = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        if budget.try_withdraw(Moment::ZERO) {
                            spent.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert_eq!(spent.load(Ordering::SeqCst), 50);
        assert_eq!(budget.exhausted(), 350);
    }
}
