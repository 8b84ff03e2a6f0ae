//! Policies from files: the same in every format, and reloaded while calls run.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tripline_sdk::settings::{Policies, Settings};
use tripline_sdk::{
    BackoffJitter, Error, Listener, Policy, PolicyEvent, Refusal, State, Transition, WatchedPolicy,
    WindowConfig,
};

const TOML: &str = r#"
[policies.stock]
deadline = "2s"
timeout = "250ms"
bulkhead = 32
rate_limit = { count = 100, period = "1s" }

[policies.stock.retry]
max_attempts = 4
base = "20ms"
jitter = "equal"

[policies.stock.breaker]
failure_ratio = 0.4
minimum_calls = 3
window = { length = "30s", buckets = 15 }
slow_calls = { threshold = "200ms", ratio = 0.8 }
open = { base = "2s", max = "20s" }
half_open = { permits = 5 }
"#;

const YAML: &str = "
policies:
  stock:
    deadline: 2s
    timeout: 250ms
    bulkhead: 32
    rate_limit: { count: 100, period: 1s }
    retry: { max_attempts: 4, base: 20ms, jitter: equal }
    breaker:
      failure_ratio: 0.4
      minimum_calls: 3
      window: { length: 30s, buckets: 15 }
      slow_calls: { threshold: 200ms, ratio: 0.8 }
      open: { base: 2s, max: 20s }
      half_open: { permits: 5 }
";

const JSON: &str = r#"{"policies": {"stock": {
    "deadline": "2s", "timeout": "250ms", "bulkhead": 32,
    "rate_limit": {"count": 100, "period": "1s"},
    "retry": {"max_attempts": 4, "base": "20ms", "jitter": "equal"},
    "breaker": {
        "failure_ratio": 0.4, "minimum_calls": 3, "window": {"length": "30s", "buckets": 15},
        "slow_calls": {"threshold": "200ms", "ratio": 0.8}, "open": {"base": "2s", "max": "20s"},
        "half_open": {"permits": 5}}}}}"#;

fn settings(text: &str) -> Settings {
    toml::from_str(text).unwrap()
}

#[test]
fn toml_yaml_and_json_say_the_same_and_come_back_as_they_were() {
    let read: Settings = settings(TOML);
    assert_eq!(serde_norway::from_str::<Settings>(YAML).unwrap(), read);
    assert_eq!(serde_json::from_str::<Settings>(JSON).unwrap(), read);
    let written = toml::to_string(&read).unwrap();
    assert_eq!(settings(&written), read, "{written}");
    let written = serde_norway::to_string(&read).unwrap();
    assert_eq!(
        serde_norway::from_str::<Settings>(&written).unwrap(),
        read,
        "{written}"
    );

    let stock = &read.policies["stock"];
    let retry = tripline_sdk::RetryConfig::from(&stock.retry.unwrap());
    assert_eq!(retry.max_attempts, 4);
    assert_eq!(retry.backoff.base, Duration::from_millis(20));
    assert_eq!(retry.backoff.jitter, BackoffJitter::Equal);
    let breaker = stock.breaker.as_ref().unwrap().to_config().unwrap();
    assert_eq!(breaker.failure_ratio, Some(0.4));
    assert_eq!(
        breaker.window,
        WindowConfig::Time {
            length: Duration::from_secs(30),
            buckets: 15
        }
    );
    assert_eq!(breaker.open.nominal(20), Duration::from_secs(20));
    assert_eq!(breaker.half_open.permits, 5);
}

#[test]
fn a_misspelt_setting_is_refused_by_name() {
    for text in [
        "[policies.stock]\ntimeuot = '1s'",
        "[policies.stock.retry]\nattempts = 3",
        "[policies.stock.breaker]\nfailure_rate = 0.5",
        "[policies.stock.breaker]\nslow_calls = { threshold = '1s', ratio = 0.5, minimum = 3 }",
        "[policies.stock]\ntimeout = '1'",
        "[policies.stock]\ntimeout = '1 fortnight'",
    ] {
        assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
    }
}

fn policies(text: &str) -> Policies {
    Policies::new(&settings(text), None).unwrap()
}

async fn fail(policy: &Policy, times: u32) {
    for _ in 0..times {
        let failed: Result<(), _> = policy.call(async || Err("down")).await;
        assert!(failed.is_err());
    }
}

fn with_breaker(breaker: &str) -> String {
    format!("[policies.stock]\ntimeout = '1s'\n[policies.stock.breaker]\n{breaker}")
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_the_window_and_the_next_call_is_judged_by_the_new_threshold() {
    let policies = policies(&with_breaker("failure_ratio = 0.9\nminimum_calls = 4"));
    let stock = policies.get("stock").unwrap();
    let fine = async || Ok::<_, &str>(());
    for _ in 0..2 {
        stock.call(fine).await.unwrap();
    }
    fail(&stock, 2).await;
    assert_eq!(stock.breaker().unwrap().state(), State::Closed);

    policies
        .reload(&settings(&with_breaker(
            "failure_ratio = 0.6\nminimum_calls = 4",
        )))
        .unwrap();
    let stock = policies.get("stock").unwrap();
    let breaker = stock.breaker().unwrap();
    assert_eq!(breaker.snapshot().window.calls, 4, "nothing is forgotten");
    fail(&stock, 1).await;
    assert_eq!(breaker.state(), State::Open, "three of five");
}

#[tokio::test(start_paused = true)]
async fn a_reload_leaves_an_open_breaker_open_and_a_mode_takes_effect_at_once() {
    let policies = policies(&with_breaker("consecutive_failures = 2\nminimum_calls = 1"));
    fail(&policies.get("stock").unwrap(), 2).await;
    policies
        .reload(&settings(&with_breaker(
            "consecutive_failures = 9\nminimum_calls = 1",
        )))
        .unwrap();
    let state = |policies: &Policies| policies.get("stock").unwrap().breaker().unwrap().state();
    assert_eq!(state(&policies), State::Open);
    policies
        .reload(&settings(&with_breaker("mode = 'disabled'")))
        .unwrap();
    assert_eq!(state(&policies), State::Disabled);
    policies
        .reload(&settings(&with_breaker("mode = 'enforcing'")))
        .unwrap();
    assert_eq!(state(&policies), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_cannot_be_used_changes_nothing() {
    let policies = policies(&with_breaker("failure_ratio = 0.5"));
    let both = "[policies.stock]\ntimeout = '9s'\nbulkhead = 1\n\
                [policies.stock.breaker]\nfailure_ratio = 0.7\n\
                [policies.zebra.breaker]\nfailure_ratio = 7.0";
    let refused = policies.reload(&settings(both)).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("policy zebra: failure_ratio"),
        "{refused}"
    );
    let stock = policies.get("stock").unwrap();
    assert_eq!(stock.breaker().unwrap().config().failure_ratio, Some(0.5));
    assert!(policies.get("zebra").is_none());
    // A breaker that judges calls nothing bounds is refused from a file as it is from code.
    let unbounded = "[policies.stock.breaker]\nfailure_ratio = 0.5";
    let refused = policies.reload(&settings(unbounded)).unwrap_err();
    assert!(refused.to_string().contains("timeout"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn what_a_limit_has_let_through_and_who_is_inside_survive_a_reload() {
    let limited = |timeout: &str| {
        format!(
            "[policies.stock]\ntimeout = '{timeout}'\nrate_limit = {{ count = 2, period = '60s' }}\nbulkhead = 8"
        )
    };
    let policies = policies(&limited("1s"));
    let fine = async || Ok::<_, &str>(());
    for _ in 0..2 {
        policies.get("stock").unwrap().call(fine).await.unwrap();
    }
    policies.reload(&settings(&limited("2s"))).unwrap();
    let refused = policies.get("stock").unwrap().call(fine).await.unwrap_err();
    assert!(
        matches!(refused, Error::Refused(Refusal::RateLimited { .. })),
        "{refused}"
    );

    let one_place = "[policies.stock]\nbulkhead = 1";
    policies.reload(&settings(one_place)).unwrap();
    let stock = policies.get("stock").unwrap();
    let nested = stock.call(async || {
        policies
            .reload(&settings("[policies.stock]\nbulkhead = 1\ntimeout = '5s'"))
            .unwrap();
        let inside = policies.get("stock").unwrap().call(fine).await;
        assert!(matches!(inside, Err(Error::Refused(Refusal::BulkheadFull))));
        Ok::<_, &str>(())
    });
    nested.await.unwrap();
    policies.get("stock").unwrap().call(fine).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_spent_retry_budget_stays_spent() {
    let retrying = |attempts: u32| {
        format!("[policies.stock.retry]\nmax_attempts = {attempts}\nbase = '0s'\njitter = 'none'")
    };
    let policies = policies(&retrying(1_000));
    let tries = std::sync::atomic::AtomicU32::new(0);
    let count = async |policies: &Policies| {
        tries.store(0, std::sync::atomic::Ordering::SeqCst);
        let call = async || {
            tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Err::<(), _>("down")
        };
        let _ = policies.get("stock").unwrap().call(call).await;
        tries.load(std::sync::atomic::Ordering::SeqCst)
    };
    let first = count(&policies).await;
    assert!(
        first > 1 && first < 1_000,
        "the budget ended it after {first}"
    );
    policies.reload(&settings(&retrying(999))).unwrap();
    assert_eq!(count(&policies).await, 1, "a reload pays nothing in");
}

/// Hears what policies say.
#[derive(Clone, Default)]
struct Ears(Arc<Mutex<Vec<String>>>);

impl Listener for Ears {
    fn on_transition(&self, name: &str, change: &Transition) {
        let heard = format!("{name} {}", change.to.as_str());
        self.0.lock().unwrap().push(heard);
    }

    fn on_policy_created(&self, policy: WatchedPolicy) {
        policy.read(|name, _| self.0.lock().unwrap().push(format!("{name} made")));
    }

    fn on_policy_event(&self, name: &str, event: PolicyEvent) {
        if matches!(event, PolicyEvent::BulkheadFull) {
            self.0.lock().unwrap().push(format!("{name} full"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn policies_from_files_report_what_they_do_and_so_do_their_breakers() {
    let ears = Ears::default();
    let text = "[policies.stock]\ntimeout = '1s'\nbulkhead = 0\n[policies.stock.breaker]";
    let policies = Policies::new(&settings(text), Some(Arc::new(ears.clone()))).unwrap();
    let stock = policies.get("stock").unwrap();
    assert!(stock.call(async || Ok::<_, &str>(())).await.is_err());
    stock.breaker().unwrap().trip();
    stock.breaker().unwrap().acquire().unwrap_err();
    let heard = ears.0.lock().unwrap().clone();
    assert_eq!(heard, ["stock made", "stock full", "stock open"]);
}
