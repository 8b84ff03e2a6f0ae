//! Policies that are made from settings and follow them while calls run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{BreakerSettings, PolicySettings, Settings};
use crate::breaker::{CircuitBreaker, InvalidConfig, Listener};
use crate::bulkhead::Bulkhead;
use crate::clock::Clock;
use crate::limit::Gcra;
use crate::policy::{Policy, PolicyError};
use crate::retry::{BudgetConfig, RetryBudget};
use crate::tokio_clock::TokioClock;

/// The policies of a process, by name.
///
/// Reloading changes breakers and bulkheads in place and takes retry budgets and unchanged rate
/// limits along, so windows, states, places taken and what was spent survive; policies are handed
/// out as they are then, so ask for one per call (it is a clone of an `Arc`) rather than keeping it.
///
/// ```
/// use tripline_sdk::settings::{Policies, Settings};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let read = |ratio: f64| toml::from_str::<Settings>(&format!(
///     "[policies.stock]\ntimeout = '1s'\n[policies.stock.breaker]\nfailure_ratio = {ratio:?}"
/// ));
/// let policies = Policies::new(&read(0.5)?, None)?;
/// let before = policies.get("stock").unwrap();
/// before.breaker().unwrap().acquire().unwrap().finish(tripline_sdk::Outcome::Failure);
///
/// policies.reload(&read(0.3)?)?;
/// let after = policies.get("stock").unwrap();
/// let breaker = after.breaker().unwrap();
/// assert_eq!(breaker.config().failure_ratio, Some(0.3));
/// assert_eq!(breaker.snapshot().window.failures, 1, "what was seen is not forgotten");
/// # Ok(())
/// # }
/// ```
pub struct Policies {
    listener: Option<Arc<dyn Listener>>,
    clock: TokioClock,
    kept: Mutex<BTreeMap<String, Kept>>,
}

struct Kept {
    settings: PolicySettings,
    policy: Policy,
    breaker: Option<CircuitBreaker<TokioClock>>,
    bulkhead: Option<Bulkhead>,
    budget: Option<Arc<RetryBudget>>,
    limiter: Option<Arc<Gcra>>,
}

/// Settings that cannot be used. Nothing of a reload that fails takes effect.
///
/// ```
/// use tripline_sdk::settings::{Policies, Settings};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let bad: Settings = toml::from_str("[policies.stock.breaker]\nfailure_ratio = 2.0").unwrap();
/// let refused = Policies::new(&bad, None).err().unwrap();
/// assert!(refused.to_string().starts_with("policy stock: failure_ratio"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum SettingsError {
    /// A breaker's settings cannot work.
    Breaker {
        /// The policy.
        policy: String,
        /// Why.
        cause: InvalidConfig,
    },
    /// The parts do not go together.
    Policy {
        /// The policy.
        policy: String,
        /// Why.
        cause: PolicyError,
    },
}

impl std::fmt::Display for SettingsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Breaker { policy, cause } => write!(f, "policy {policy}: {cause}"),
            Self::Policy { policy, cause } => write!(f, "policy {policy}: {cause}"),
        }
    }
}

impl std::error::Error for SettingsError {}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.lock().keys()).finish()
    }
}

impl Policies {
    /// The policies of `settings`, which report to `listener`, and so do their breakers.
    ///
    /// ```
    /// use tripline_sdk::settings::{Policies, Settings};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let settings: Settings = toml::from_str("[policies.stock]\ntimeout = '1s'")?;
    /// let policies = Policies::new(&settings, None)?;
    /// assert_eq!(format!("{policies:?}"), r#"["stock"]"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The first settings that cannot be used.
    pub fn new(
        settings: &Settings,
        listener: Option<Arc<dyn Listener>>,
    ) -> Result<Self, SettingsError> {
        let policies = Self {
            listener,
            clock: TokioClock::default(),
            kept: Mutex::new(BTreeMap::new()),
        };
        policies.reload(settings)?;
        Ok(policies)
    }

    /// The policy of a name, as the settings are now.
    ///
    /// ```
    /// use tripline_sdk::settings::{Policies, Settings};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let settings: Settings = toml::from_str("[policies.stock]\ntimeout = '1s'")?;
    /// let policies = Policies::new(&settings, None)?;
    /// let stock = policies.get("stock").expect("it has settings");
    /// assert_eq!(stock.call(async || Ok::<_, std::io::Error>(7)).await?, 7);
    /// assert!(policies.get("orders").is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Policy> {
        self.lock().get(name).map(|kept| kept.policy.clone())
    }

    /// Follows new settings. A breaker whose window changes starts anew; everything else about it
    /// changes in place.
    ///
    /// ```
    /// use tripline_sdk::settings::{Policies, Settings};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let read = |text| toml::from_str::<Settings>(text);
    /// let policies = Policies::new(&read("[policies.stock]")?, None)?;
    /// policies.reload(&read("[policies.orders]")?)?;
    /// assert!(policies.get("orders").is_some() && policies.get("stock").is_none());
    ///
    /// let bad = read("[policies.stock.breaker]\nfailure_ratio = 2.0")?;
    /// assert!(policies.reload(&bad).is_err());
    /// assert!(policies.get("orders").is_some(), "nothing has changed");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The first settings that cannot be used; then nothing has changed.
    pub fn reload(&self, settings: &Settings) -> Result<(), SettingsError> {
        let mut kept = self.lock();
        let mut next = BTreeMap::new();
        for (name, settings) in &settings.policies {
            let before = kept.get(name);
            let made = match before {
                Some(before) if before.settings == *settings => before.same(),
                before => self.make(name, settings, before)?,
            };
            next.insert(name.clone(), made);
        }
        for made in next.values() {
            made.take_effect();
        }
        *kept = next;
        Ok(())
    }

    /// Makes a policy of what is new and what is kept, changing nothing yet.
    fn make(
        &self,
        name: &str,
        settings: &PolicySettings,
        before: Option<&Kept>,
    ) -> Result<Kept, SettingsError> {
        let breaker = self.breaker(name, settings, before)?;
        let bulkhead = settings.bulkhead.map(|max| {
            let kept = before.and_then(|kept| kept.bulkhead.clone());
            kept.unwrap_or_else(|| Bulkhead::new(max))
        });
        let budget = settings.retry.map(|_| {
            let kept = before.and_then(|kept| kept.budget.clone());
            kept.unwrap_or_else(|| {
                Arc::new(RetryBudget::new(BudgetConfig::default(), self.clock.now()))
            })
        });
        let limiter = settings.rate_limit.map(|rate| {
            let same = before.filter(|kept| kept.settings.rate_limit == Some(rate));
            let fresh = || Arc::new(Gcra::per(rate.count, rate.period.into()));
            same.and_then(|kept| kept.limiter.clone())
                .unwrap_or_else(fresh)
        });
        let mut builder = Policy::builder_on(name, self.clock);
        if let Some(listener) = &self.listener {
            builder = builder.listen_shared(Arc::clone(listener));
        }
        if let Some(deadline) = settings.deadline {
            builder = builder.deadline(deadline.into());
        }
        if let Some((retry, budget)) = settings.retry.as_ref().zip(budget.as_ref()) {
            builder = builder.retry_with_budget(retry.into(), Arc::clone(budget));
        }
        if let Some(breaker) = &breaker {
            builder = builder.breaker(breaker.clone());
        }
        if let Some(timeout) = settings.timeout {
            builder = builder.timeout(timeout.into());
        }
        if let Some(limiter) = &limiter {
            builder = builder.rate_limit(Arc::clone(limiter));
        }
        if let Some(bulkhead) = &bulkhead {
            builder = builder.bulkhead(bulkhead.clone());
        }
        let policy = builder.build().map_err(|cause| SettingsError::Policy {
            policy: name.to_owned(),
            cause,
        })?;
        Ok(Kept {
            settings: settings.clone(),
            policy,
            breaker,
            bulkhead,
            budget,
            limiter,
        })
    }

    fn breaker(
        &self,
        name: &str,
        settings: &PolicySettings,
        before: Option<&Kept>,
    ) -> Result<Option<CircuitBreaker<TokioClock>>, SettingsError> {
        let Some(wanted) = &settings.breaker else {
            return Ok(None);
        };
        let refused = |cause| SettingsError::Breaker {
            policy: name.to_owned(),
            cause,
        };
        let config = wanted.to_config().map_err(refused)?;
        let kept = before.and_then(|kept| kept.breaker.clone());
        if let Some(kept) = kept.filter(|kept| kept.config().window == config.window) {
            return Ok(Some(kept));
        }
        let mut builder = CircuitBreaker::builder(name, config).clock(self.clock);
        if let Some(listener) = &self.listener {
            builder = builder.listen_shared(Arc::clone(listener));
        }
        builder.build().map(Some).map_err(refused)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn same(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            policy: self.policy.clone(),
            breaker: self.breaker.clone(),
            bulkhead: self.bulkhead.clone(),
            budget: self.budget.clone(),
            limiter: self.limiter.clone(),
        }
    }

    /// Changes in place what was kept. The settings have been checked: this cannot fail.
    fn take_effect(&self) {
        if let Some((bulkhead, max)) = self.bulkhead.as_ref().zip(self.settings.bulkhead) {
            bulkhead.resize(max);
        }
        let config = self
            .settings
            .breaker
            .as_ref()
            .map(BreakerSettings::to_config);
        if let (Some(breaker), Some(Ok(config))) = (&self.breaker, config)
            && breaker.config() != config
        {
            let _ = breaker.reconfigure(config);
        }
    }
}
