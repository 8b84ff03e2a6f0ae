//! One breaker per key, in bounded memory.
//!
//! A breaker over a whole service turns the failure of one shard into the failure of all. Keyed by
//! host, shard or tenant, each part fails alone. Keys come from outside, so their number has a
//! bound: the least recently used breaker goes when a new key needs room, a closed one rather than
//! an open one, because forgetting an open breaker would let its calls through.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{Clock, Moment, MonotonicClock};

use super::quota::OpenQuota;
use super::{BreakerConfig, CircuitBreaker, InvalidConfig, Listener, State};

/// How many of the least recently used entries are looked at to find a closed one to evict.
const EVICTION_LOOKS_AT: usize = 8;

/// The settings of a group of breakers.
///
/// ```
/// use tripline_sdk::{BreakerConfig, KeyedConfig};
/// let config = KeyedConfig { capacity: 64, ..KeyedConfig::new(BreakerConfig::new()) };
/// assert_eq!(config.max_open_percent, 100);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyedConfig {
    /// The settings of each.
    pub breaker: BreakerConfig,
    /// The most breakers kept, at least one.
    pub capacity: usize,
    /// The largest share of them that may be open at once; past it a breaker stays closed though
    /// it should trip, and counts that as suppressed. One may always be open.
    pub max_open_percent: u8,
}

impl KeyedConfig {
    /// 1 024 breakers, any number of them open.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, KeyedConfig};
    /// let config = KeyedConfig::new(BreakerConfig::new());
    /// assert_eq!((config.capacity, config.max_open_percent), (1_024, 100));
    /// ```
    #[must_use]
    pub fn new(breaker: BreakerConfig) -> Self {
        Self {
            breaker,
            capacity: 1_024,
            max_open_percent: 100,
        }
    }
}

/// One circuit breaker per key.
///
/// ```
/// use tripline_sdk::{BreakerConfig, KeyedBreakers, KeyedConfig, Outcome};
///
/// let config = KeyedConfig::new(BreakerConfig::new().only_consecutive(1));
/// let shards = KeyedBreakers::<u32>::new("orders", config)?;
/// shards.get(&7).acquire().unwrap().finish(Outcome::Failure);
/// assert!(shards.get(&7).acquire().is_err());
/// assert!(shards.get(&8).acquire().is_ok(), "the other shards work on");
/// # Ok::<(), tripline_sdk::InvalidConfig>(())
/// ```
pub struct KeyedBreakers<K, C: Clock = MonotonicClock> {
    name: Box<str>,
    config: KeyedConfig,
    clock: C,
    listener: Option<Arc<dyn Listener>>,
    quota: Arc<OpenQuota>,
    kept: Mutex<Kept<K, C>>,
}

struct Kept<K, C: Clock> {
    places: HashMap<K, usize>,
    slots: Vec<Slot<K, C>>,
    /// Most and least recently used; meaningless while `slots` is empty.
    newest: usize,
    oldest: usize,
}

/// A link of the list from most to least recently used.
struct Slot<K, C: Clock> {
    key: K,
    breaker: CircuitBreaker<C>,
    newer: Option<usize>,
    older: Option<usize>,
}

impl<K: Eq + Hash + Clone + ToString> KeyedBreakers<K> {
    /// A group on the machine's monotonic clock that nobody listens to.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, KeyedBreakers, KeyedConfig};
    /// let config = KeyedConfig::new(BreakerConfig::new());
    /// let hosts = KeyedBreakers::<String>::new("stock", config)?;
    /// let breaker = hosts.get(&"eu-1".to_owned());
    /// assert_eq!((breaker.name(), breaker.key()), ("stock", Some("eu-1")));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(name: &str, config: KeyedConfig) -> Result<Self, InvalidConfig> {
        Self::with(name, config, MonotonicClock::default(), None)
    }
}

impl<K: Eq + Hash + Clone + ToString, C: Clock> KeyedBreakers<K, C> {
    /// A group on this clock with this listener.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, KeyedBreakers, KeyedConfig, ManualClock, State};
    /// let clock = ManualClock::default();
    /// let config = KeyedConfig::new(BreakerConfig::new());
    /// let shards = KeyedBreakers::<u32, _>::with("orders", config, clock.clone(), None)?;
    /// shards.get(&7).trip();
    /// clock.advance(Duration::from_secs(60));
    /// assert_eq!(shards.get(&7).state(), State::HalfOpen);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn with(
        name: &str,
        config: KeyedConfig,
        clock: C,
        listener: Option<Arc<dyn Listener>>,
    ) -> Result<Self, InvalidConfig> {
        config.breaker.validate()?;
        let kept = Kept {
            places: HashMap::new(),
            slots: Vec::new(),
            newest: 0,
            oldest: 0,
        };
        Ok(Self {
            name: name.into(),
            config,
            clock,
            listener,
            quota: Arc::new(OpenQuota::new(config.max_open_percent)),
            kept: Mutex::new(kept),
        })
    }

    /// The breaker of `key`, made on first use.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, KeyedBreakers, KeyedConfig, State};
    /// let config = KeyedConfig::new(BreakerConfig::new());
    /// let shards = KeyedBreakers::<u32>::new("orders", config)?;
    /// shards.get(&7).trip();
    /// assert_eq!(shards.get(&7).state(), State::Open, "the same breaker as before");
    /// assert_eq!(shards.get(&8).state(), State::Closed, "a new one");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    pub fn get(&self, key: &K) -> CircuitBreaker<C> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&place) = kept.places.get(key) {
            kept.touch(place);
            return kept.slots[place].breaker.clone();
        }
        let (breaker, made) = self.make(key);
        let evicted = kept.insert(key.clone(), breaker.clone(), self.config.capacity.max(1));
        drop(kept);
        // Whoever listens may ask for a breaker of this group.
        breaker.tell_made(made);
        // Dropping the last handle of a breaker is none of the map's business.
        drop(evicted);
        breaker
    }

    /// How many breakers there are.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, KeyedBreakers, KeyedConfig};
    /// let config = KeyedConfig { capacity: 2, ..KeyedConfig::new(BreakerConfig::new()) };
    /// let shards = KeyedBreakers::<u32>::new("orders", config)?;
    /// for shard in 1..=3 {
    ///     shards.get(&shard);
    /// }
    /// assert_eq!(shards.len(), 2, "the first one made room for the third");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .slots
            .len()
    }

    /// Whether there are none yet.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, KeyedBreakers, KeyedConfig};
    /// let config = KeyedConfig::new(BreakerConfig::new());
    /// let shards = KeyedBreakers::<u32>::new("orders", config)?;
    /// assert!(shards.is_empty());
    /// shards.get(&7);
    /// assert!(!shards.is_empty());
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them are open or probing.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, KeyedBreakers, KeyedConfig};
    /// let config = KeyedConfig::new(BreakerConfig::new());
    /// let shards = KeyedBreakers::<u32>::new("orders", config)?;
    /// shards.get(&7).trip();
    /// assert_eq!((shards.len(), shards.open()), (1, 1));
    /// shards.get(&7).reset();
    /// assert_eq!((shards.len(), shards.open()), (1, 0));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn open(&self) -> u64 {
        self.quota.open()
    }

    /// Every breaker there is, most recently used first.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, KeyedBreakers, KeyedConfig};
    /// let config = KeyedConfig::new(BreakerConfig::new());
    /// let shards = KeyedBreakers::<u32>::new("orders", config)?;
    /// for shard in [1, 2, 1] {
    ///     shards.get(&shard);
    /// }
    /// let all = shards.all();
    /// let keys: Vec<_> = all.iter().map(|breaker| breaker.key()).collect();
    /// assert_eq!(keys, [Some("1"), Some("2")]);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn all(&self) -> Vec<CircuitBreaker<C>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = (!kept.slots.is_empty()).then_some(kept.newest);
        let mut found = Vec::with_capacity(kept.slots.len());
        while let Some(place) = next {
            found.push(kept.slots[place].breaker.clone());
            next = kept.slots[place].older;
        }
        found
    }

    fn make(&self, key: &K) -> (CircuitBreaker<C>, Moment) {
        let mut builder = CircuitBreaker::builder(&self.name, self.config.breaker)
            .key(&key.to_string())
            .clock(self.clock.clone())
            .quota(Some(Arc::clone(&self.quota)));
        if let Some(listener) = &self.listener {
            builder = builder.listen_shared(Arc::clone(listener));
        }
        builder
            .build_untold()
            .expect("the settings were validated when the group was made")
    }
}

impl<K: Eq + Hash + Clone, C: Clock> Kept<K, C> {
    fn unlink(&mut self, place: usize) {
        let (newer, older) = (self.slots[place].newer, self.slots[place].older);
        match newer {
            Some(newer) => self.slots[newer].older = older,
            None => self.newest = older.unwrap_or(place),
        }
        match older {
            Some(older) => self.slots[older].newer = newer,
            None => self.oldest = newer.unwrap_or(place),
        }
    }

    fn link_newest(&mut self, place: usize) {
        let before = (self.newest != place).then_some(self.newest);
        self.slots[place].newer = None;
        self.slots[place].older = before;
        match before {
            Some(before) => self.slots[before].newer = Some(place),
            None => self.oldest = place,
        }
        self.newest = place;
    }

    fn touch(&mut self, place: usize) {
        if self.newest != place {
            self.unlink(place);
            self.link_newest(place);
        }
    }

    /// Adds a breaker, in the place of another if there is no room; answers the one that went.
    fn insert(
        &mut self,
        key: K,
        breaker: CircuitBreaker<C>,
        capacity: usize,
    ) -> Option<Slot<K, C>> {
        let slot = Slot {
            key: key.clone(),
            breaker,
            newer: None,
            older: None,
        };
        if self.slots.len() < capacity {
            let place = self.slots.len();
            if place == 0 {
                self.newest = 0;
                self.oldest = 0;
            }
            self.slots.push(slot);
            self.link_newest(place);
            self.places.insert(key, place);
            return None;
        }
        let place = self.victim();
        self.unlink(place);
        let gone = std::mem::replace(&mut self.slots[place], slot);
        if let Entry::Occupied(entry) = self.places.entry(gone.key.clone()) {
            entry.remove();
        }
        self.link_newest(place);
        self.places.insert(key, place);
        Some(gone)
    }

    fn victim(&self) -> usize {
        let mut place = self.oldest;
        for _ in 0..EVICTION_LOOKS_AT {
            if !matches!(
                self.slots[place].breaker.state(),
                State::Open | State::HalfOpen
            ) {
                return place;
            }
            match self.slots[place].newer {
                Some(newer) => place = newer,
                None => break,
            }
        }
        self.oldest
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{OnceLock, Weak, mpsc};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{ManualClock, Origin, Outcome, Transition};

    /// Asks the group for two breakers whenever one is made.
    #[derive(Default)]
    struct Asks {
        group: OnceLock<Weak<KeyedBreakers<u32>>>,
        told: AtomicUsize,
    }

    impl Listener for Asks {
        fn on_transition(&self, _name: &str, _change: &Transition) {}

        fn on_config(&self, _origin: Origin<'_>, _config: &BreakerConfig) {
            self.told.fetch_add(1, Ordering::Relaxed);
            let group = self.group.get().and_then(Weak::upgrade);
            let group = group.expect("in a test");
            group.get(&1);
            group.get(&2);
        }
    }

    fn group(capacity: usize, max_open_percent: u8) -> KeyedBreakers<u32, ManualClock> {
        let breaker = BreakerConfig::new().only_consecutive(1);
        let config = KeyedConfig {
            breaker,
            capacity,
            max_open_percent,
        };
        KeyedBreakers::with("shards", config, ManualClock::default(), None).expect("in a test")
    }

    fn fail(breaker: &CircuitBreaker<ManualClock>) {
        breaker
            .acquire()
            .expect("in a test")
            .finish(Outcome::Failure);
    }

    #[test]
    fn the_least_recently_used_breaker_goes_when_there_is_no_room() {
        let group = group(2, 100);
        for key in [1, 2, 1, 3] {
            group.get(&key);
        }
        let kept: Vec<_> = group
            .all()
            .iter()
            .map(|b| b.key().expect("in a test").to_owned())
            .collect();
        assert_eq!(kept, ["3", "1"]);
    }

    #[test]
    fn a_listener_may_ask_the_group_while_a_breaker_is_made_and_each_is_told_once() {
        let asks = Arc::new(Asks::default());
        let listener: Arc<dyn Listener> = asks.clone();
        let config = KeyedConfig::new(BreakerConfig::new());
        let clock = MonotonicClock::default();
        let group = KeyedBreakers::with("shards", config, clock, Some(listener));
        let group = Arc::new(group.expect("in a test"));
        asks.group.set(Arc::downgrade(&group)).expect("set once");
        let (done, is_done) = mpsc::sync_channel(1);
        let asked = Arc::clone(&group);
        std::thread::spawn(move || {
            asked.get(&1);
            done.send(()).expect("in a test");
        });
        let outcome = is_done.recv_timeout(Duration::from_secs(20));
        outcome.expect("the listener waits for its own group");
        assert_eq!((group.len(), asks.told.load(Ordering::Relaxed)), (2, 2));
    }

    #[test]
    fn a_closed_breaker_is_evicted_before_an_open_one() {
        let group = group(2, 100);
        fail(&group.get(&1));
        group.get(&2);
        group.get(&3);
        assert_eq!(group.get(&1).state(), State::Open);
    }

    #[test]
    fn past_the_open_share_a_breaker_fails_open_and_says_so() {
        let group = group(10, 50);
        let all: Vec<_> = (0..4).map(|key| group.get(&key)).collect();
        all.iter().for_each(fail);
        let open = all
            .iter()
            .filter(|breaker| breaker.state() == State::Open)
            .count();
        assert_eq!((open, group.open()), (2, 2));
        assert_eq!(all[3].snapshot().suppressed_trips, 1);
        fail(&all[3]);
        assert_eq!(all[3].snapshot().suppressed_trips, 1, "once an era");
    }

    #[test]
    fn an_evicted_open_breaker_gives_its_place_back() {
        let group = group(1, 50);
        fail(&group.get(&1));
        assert_eq!(group.open(), 1);
        group.get(&2);
        assert_eq!(group.open(), 0);
    }

    proptest! {
        #[test]
        fn the_list_is_the_order_of_use(
            capacity in 1_usize..6,
            uses in prop::collection::vec(0_u32..10, 0..60),
        ) {
            let group = group(capacity, 100);
            let mut model: Vec<u32> = Vec::new();
            for key in uses {
                group.get(&key);
                model.retain(|kept| *kept != key);
                model.insert(0, key);
                model.truncate(capacity);
                let kept: Vec<String> =
                    group.all().iter().map(|b| b.key().expect("in a test").to_owned()).collect();
                let expected: Vec<String> = model.iter().map(ToString::to_string).collect();
                prop_assert_eq!(kept, expected);
            }
        }
    }
}
