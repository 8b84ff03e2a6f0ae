//! Breakers of other systems, made from their own settings, doing what their documentation says.
//! One table a system: a script of calls and the state after it.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::time::Duration;

use tripline_sdk::presets::{gobreaker, hystrix, polly, resilience4j, sentinel};
use tripline_sdk::settings::Length;
use tripline_sdk::{
    BreakerConfig, CircuitBreaker, ManualClock, Mode, Moment, OpenTime, Outcome, RetryConfig,
    WindowConfig,
};

/// Plays a script: `.` succeeds, `x` fails, `i` is ignored, `!` must be rejected, `~700ms` succeeds
/// after so long, `x~700ms` fails after so long, `+5s` waits, `=open` checks the state; `x*5` is five of
/// them.
fn play(system: &str, config: BreakerConfig, script: &str) {
    let clock = ManualClock::default();
    let breaker = CircuitBreaker::builder(system, config)
        .clock(clock.clone())
        .build()
        .unwrap();
    for word in script.split_whitespace() {
        let (step, times) = word.split_once('*').unwrap_or((word, "1"));
        for _ in 0..times.parse::<u32>().unwrap() {
            one(&breaker, &clock, step).unwrap_or_else(|why| {
                panic!(
                    "{system}: {script}\n at {word}: {why}, {:?}",
                    breaker.snapshot()
                )
            });
        }
    }
}

fn one(
    breaker: &CircuitBreaker<ManualClock>,
    clock: &ManualClock,
    step: &str,
) -> Result<(), String> {
    let length = |text: &str| Duration::from(text.parse::<Length>().unwrap());
    if let Some(state) = step.strip_prefix('=') {
        let found = breaker.state().as_str();
        return (found == state)
            .then_some(())
            .ok_or(format!("it is {found}"));
    }
    if let Some(wait) = step.strip_prefix('+') {
        clock.advance(length(wait));
        return Ok(());
    }
    let permit = breaker.acquire();
    if step == "!" {
        return permit
            .is_err()
            .then_some(())
            .ok_or("it was let through".into());
    }
    let permit = permit.map_err(|refused| refused.to_string())?;
    let (kind, took) = step.split_once('~').unwrap_or((step, "0s"));
    clock.advance(length(took));
    permit.finish(match kind {
        "x" => Outcome::Failure,
        "i" => Outcome::Ignore,
        _ => Outcome::Success,
    });
    Ok(())
}

fn r4j(yaml: &str) -> BreakerConfig {
    let instance: resilience4j::CircuitBreaker = serde_norway::from_str(yaml).unwrap();
    BreakerConfig::try_from(&instance).unwrap()
}

#[test]
fn resilience4j_behaves_as_documented() {
    let small = "slidingWindowSize: 10\nminimumNumberOfCalls: 4\nwaitDurationInOpenState: 5s\n\
                 permittedNumberOfCallsInHalfOpenState: 2\n";
    for (yaml, script) in [
        // The call that completes the minimum decides, whether it fails or not.
        (small, "x*3 . =open ! +5s .*2 =closed"),
        // The defaults: nothing before the hundredth call, then 50 % is enough.
        ("{}", ".*50 x*49 =closed x =open ! +59s ! +2s .*10 =closed"),
        // The minimum counts, the threshold is reached at equality.
        (small, ".*2 x =closed x =open"),
        (small, "x*3 =closed x =open"),
        // The window holds the last calls only.
        (small, "x .*10 x*4 =closed x =open"),
        // Half open: every permitted result is waited for, then the rates decide.
        (small, "x*4 =open ! +5s . =half_open . =closed"),
        (
            small,
            "x*4 =open +5s x =half_open . =open ! +5s .*2 =closed",
        ),
        // Ignored calls count nowhere.
        (
            small,
            "i*10 x*3 =closed x =open +5s i =half_open .*2 =closed",
        ),
        // Slow calls have a rate of their own.
        (
            "slowCallDurationThreshold: 200\nslowCallRateThreshold: 50\nminimumNumberOfCalls: 4\n",
            ".*2 ~200ms ~300ms =closed ~300ms =closed ~300ms =open",
        ),
        // A window of seconds forgets them one by one.
        (
            "slidingWindowType: TIME_BASED\nslidingWindowSize: 10\nminimumNumberOfCalls: 4\n",
            "x*3 +11s x =closed x*3 =open",
        ),
        // The wait grows if it is told to.
        (
            "minimum-number-of-calls: 1\npermitted-number-of-calls-in-half-open-state: 1\n\
             wait-duration-in-open-state: 1s\nenable-exponential-backoff: true\n\
             exponential-backoff-multiplier: 2\n",
            "x =open +1s x =open +1s ! +1s x =open +3s ! +1s . =closed",
        ),
        (
            "initialState: METRICS_ONLY\nminimumNumberOfCalls: 1\n",
            "x*5 =metrics_only .",
        ),
    ] {
        play("resilience4j", r4j(yaml), script);
    }
}

#[test]
fn a_whole_resilience4j_block_can_be_read_as_it_is() {
    let yaml = "
resilience4j:
  circuitbreaker:
    instances:
      stock:
        registerHealthIndicator: true
        slidingWindowSize: 20
        waitDurationInOpenState: PT10S
        recordExceptions:
          - java.io.IOException
  retry:
    instances:
      stock:
        maxAttempts: 4
        waitDuration: 100ms
        enableExponentialBackoff: true
";
    let file: serde_norway::Value = serde_norway::from_str(yaml).unwrap();
    let instance = |part: &str| file["resilience4j"][part]["instances"]["stock"].clone();
    let theirs: resilience4j::CircuitBreaker =
        serde_norway::from_value(instance("circuitbreaker")).unwrap();
    let config = BreakerConfig::try_from(&theirs).unwrap();
    assert_eq!(config.window, WindowConfig::Count { size: 20 });
    assert_eq!(config.open.base, Duration::from_secs(10));
    let theirs: resilience4j::Retry = serde_norway::from_value(instance("retry")).unwrap();
    let retry = RetryConfig::from(&theirs);
    assert_eq!((retry.max_attempts, retry.backoff.multiplier), (4, 1.5));
}

#[test]
fn hystrix_behaves_as_documented() {
    let command = |own: &[(&str, &str)]| {
        let properties: BTreeMap<String, String> = own
            .iter()
            .map(|(name, value)| {
                (
                    format!("hystrix.command.default.{name}"),
                    (*value).to_owned(),
                )
            })
            .collect();
        BreakerConfig::try_from(&hystrix::Command::of("Any", &properties).unwrap()).unwrap()
    };
    let volume = ("circuitBreaker.requestVolumeThreshold", "4");
    for (own, script) in [
        // The defaults: 20 requests in 10 s, half of them failed, 5 s of sleep, one probe.
        (&[][..], "x*19 =closed x =open ! +5s . =closed"),
        (&[], ".*10 x*9 =closed x =open"),
        (&[], "x*10 .*9 =closed . =open"),
        (&[volume], "x*4 =open +5s x =open ! +4s ! +1s . =closed"),
        // Statistics roll: what is older than ten seconds is forgotten.
        (&[volume], "x*3 +11s x =closed x*3 =open"),
        // Closing starts anew.
        (&[volume], "x*4 =open +5s . =closed x*3 =closed x =open"),
        (
            &[volume, ("circuitBreaker.sleepWindowInMilliseconds", "100")],
            "x*4 ! +100ms . =closed",
        ),
        (&[("circuitBreaker.forceOpen", "true")], "!"),
        (&[("circuitBreaker.forceClosed", "true"), volume], "x*9 ."),
        (&[("circuitBreaker.enabled", "false"), volume], "x*9 ."),
    ] {
        play("Hystrix", command(own), script);
    }
    assert_eq!(command(&[]).call_timeout, Some(Duration::from_secs(1)));
    assert_eq!(
        command(&[("execution.timeout.enabled", "false")]).call_timeout,
        None
    );
    assert_eq!(
        command(&[("circuitBreaker.forceOpen", "true")]).mode,
        Mode::ForcedOpen
    );
}

#[test]
fn sentinel_behaves_as_documented() {
    let rule = |json: &str| {
        let rule: sentinel::DegradeRule = serde_json::from_str(json).unwrap();
        BreakerConfig::try_from(&rule).unwrap()
    };
    let by_ratio = r#"{"resource":"a","grade":1,"count":0.5,"timeWindow":3}"#;
    let by_all = r#"{"resource":"a","grade":1,"count":1.0,"timeWindow":3}"#;
    let by_count = r#"{"resource":"a","grade":2,"count":3,"timeWindow":3,"minRequestAmount":1}"#;
    let by_slow =
        r#"{"resource":"a","grade":0,"count":100,"timeWindow":3,"slowRatioThreshold":0.5}"#;
    for (json, script) in [
        // More than half of at least five; exactly half is not more.
        (by_ratio, "x*4 =closed x =open ! +3s . =closed"),
        (by_ratio, ".*3 x*3 =closed x =open"),
        (by_ratio, "x*4 =closed . =open"),
        (by_ratio, "x*5 =open +3s x =open ! +3s . =closed"),
        // But all of all calls are enough where everything is the threshold.
        (by_all, "x*4 =closed x =open"),
        (by_all, ". x*9 =closed"),
        // More than three errors.
        (by_count, "x*3 =closed x =open"),
        // One bucket: the next second starts from nothing.
        (by_count, "x*3 +1s x*3 =closed x =open"),
        // Slower than 100 ms, more than half of the calls.
        (by_slow, "~100ms*5 =closed"),
        (by_slow, ".*2 ~101ms*2 =closed ~102ms =open"),
    ] {
        play("Sentinel", rule(json), script);
    }
}

#[test]
fn sentinels_flow_rules_behave_as_documented() {
    // How many of ten requests, all asked for at once, pass in each second.
    let passed = |json: &str, seconds: u64| -> Vec<usize> {
        let rule: sentinel::FlowRule = serde_json::from_str(json).unwrap();
        let limiter = rule.limiter().unwrap();
        let at = |second| Moment::from_millis(1_000 * second + 10);
        (1..=seconds)
            .map(|second| {
                (0..10)
                    .filter(|_| limiter.check(1, at(second)).allowed)
                    .count()
            })
            .collect()
    };
    // Rejecting: so many a second, however they come, and as many in the next one.
    let reject = r#"{"resource":"a","count":4}"#;
    assert_eq!(passed(reject, 3), [4, 4, 4]);
    // Warming up: a third of the rate at first, all of it after the period, never less than before.
    let warm_up = r#"{"resource":"a","count":9,"controlBehavior":1,"warmUpPeriodSec":10}"#;
    let warming = passed(warm_up, 20);
    assert_eq!((warming[0], warming[19]), (3, 9), "{warming:?}");
    assert!(warming.is_sorted(), "{warming:?}");
    // Queueing: one at a time, evenly, nothing saved up.
    let queue = r#"{"resource":"a","count":4,"controlBehavior":2}"#;
    assert_eq!(passed(queue, 3), [1, 1, 1]);
    // Threads are a bulkhead's business.
    for refused in [
        r#"{"resource":"a","count":4,"grade":0}"#,
        r#"{"resource":"a","count":4,"controlBehavior":9}"#,
        r#"{"resource":"a","count":0}"#,
    ] {
        let rule: sentinel::FlowRule = serde_json::from_str(refused).unwrap();
        assert!(rule.limiter().is_err(), "{refused}");
    }
}

#[test]
fn gobreaker_behaves_as_documented() {
    let settings = |json: &str| {
        let settings: gobreaker::Settings = serde_json::from_str(json).unwrap();
        BreakerConfig::try_from(&settings).unwrap()
    };
    for (json, script) in [
        // The defaults: more than five in a row, a minute, one probe.
        (
            "{}",
            "x*5 =closed . x*5 =closed x =open +59s ! +1s . =closed",
        ),
        ("{}", "x*6 =open +60s x =open ! +60s . =closed"),
        // MaxRequests successes close, one failure opens.
        (
            r#"{"MaxRequests":3,"Timeout":"10s"}"#,
            "x*6 =open +10s .*2 =half_open . =closed",
        ),
        (
            r#"{"MaxRequests":3,"Timeout":"10s"}"#,
            "x*6 =open +10s . x =open",
        ),
        // Nanoseconds, as JSON has a time.Duration.
        (r#"{"Timeout":1000000000}"#, "x*6 =open +1s . =closed"),
        // The ReadyToTrip of its README: at least three requests, sixty percent failed.
        (
            r#"{"FailureRatio":0.6,"MinimumRequests":3,"Interval":"10s","BucketPeriod":"1s"}"#,
            "x . =closed x =open",
        ),
        (
            r#"{"FailureRatio":0.6,"MinimumRequests":3,"Interval":"10s","BucketPeriod":"1s"}"#,
            "x*2 +11s . x =closed x =open",
        ),
        // Excluded calls count nowhere.
        ("{}", "x*5 i =closed x =open"),
    ] {
        play("gobreaker", settings(json), script);
    }
}

#[test]
fn polly_behaves_as_documented() {
    let options = |json: &str| {
        let options: polly::CircuitBreakerStrategyOptions = serde_json::from_str(json).unwrap();
        BreakerConfig::try_from(&options)
    };
    let small = r#"{"FailureRatio":0.5,"MinimumThroughput":4,"SamplingDuration":"00:00:10"}"#;
    for (json, script) in [
        // The defaults: a tenth of at least a hundred calls in thirty seconds, five seconds.
        ("{}", ".*90 x*9 =closed x =open ! +5s . =closed"),
        (small, ". x*2 =closed x =open +5s x =open ! +5s . =closed"),
        (small, "x*3 +11s x*3 =closed x =open"),
        (
            r#"{"MinimumThroughput":2,"BreakDuration":"00:00:30"}"#,
            "x*2 =open +29s ! +1s . =closed",
        ),
    ] {
        play("Polly", options(json).unwrap(), script);
    }
    for refused in [
        r#"{"MinimumThroughput":1}"#,
        r#"{"FailureRatio":1.5}"#,
        r#"{"SamplingDuration":"00:00:00.4"}"#,
        r#"{"BreakDuration":"2.00:00:00"}"#,
    ] {
        assert!(options(refused).is_err(), "{refused}");
    }
}

#[test]
fn fixed_open_times_do_not_grow_where_the_original_does_not() {
    for config in [
        r4j("{}"),
        BreakerConfig::try_from(&gobreaker::Settings::default()).unwrap(),
    ] {
        let open: OpenTime = config.open;
        assert_eq!(open.nominal(1), open.nominal(20));
    }
}
