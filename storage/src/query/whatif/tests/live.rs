//! A breaker that lives: calls that overlap, an outage, cancelled callers, slow answers, and what befalls it besides.
//! Times are nanoseconds since the beginning of its instance.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::Duration;

use tripline_sdk::{
    Admission, BreakerConfig, CallId, CloseOn, HalfOpen, Jitter, Machine, Mode, Moment, OnDrop,
    OpenTime, Outcome, SlowCalls, State, Transition, WindowConfig,
};

use super::MS;

/// Calls of one instance.
pub const CALLS: u64 = 150;
/// What a coarse clock counts in, nanoseconds.
const GRAIN: u64 = 10 * MS;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// What befalls an instance besides its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    Nothing,
    /// Its settings change.
    Reconfigured,
    /// It only observes, from the beginning on.
    Observes,
    /// Somebody decides for it, for a while.
    Overruled(Mode),
    /// Its process begins anew.
    Restarted,
    /// That too, with another window.
    Renewed,
}

impl Twist {
    /// Of the instance of this number of a breaker: every breaker has some to which nothing happens.
    pub fn of(breaker: u64, instance: u64) -> Self {
        if instance.is_multiple_of(4) {
            return Self::Nothing;
        }
        let modes = [Mode::MetricsOnly, Mode::ForcedOpen, Mode::Disabled];
        match breaker % 6 {
            0 => Self::Nothing,
            1 => Self::Reconfigured,
            2 => Self::Observes,
            3 => Self::Overruled(modes[(instance % 3) as usize]),
            4 => Self::Restarted,
            _ => Self::Renewed,
        }
    }
}

/// Settings of every kind: windows of time and of calls, slow calls, runs of failures, probes of both verdicts, jitter.
/// Instances of one breaker differ in some.
pub fn settings_of(number: u64, instance: u64) -> BreakerConfig {
    let mut dice = Dice(number);
    let ms = Duration::from_millis;
    let drift = instance / 6 % 3;
    let permits = 1 + dice.below(4) as u16;
    BreakerConfig {
        window: if number.is_multiple_of(2) {
            WindowConfig::Time {
                length: ms(400 + dice.below(1_600)),
                buckets: 1 + dice.below(10) as u16,
            }
        } else {
            WindowConfig::Count {
                size: 5 + dice.below(30) as u32,
            }
        },
        minimum_calls: 3 + (dice.below(12) + drift) as u32,
        failure_ratio: (!number.is_multiple_of(5)).then_some(0.3 + dice.below(5) as f64 / 10.0),
        consecutive_failures: number.is_multiple_of(5).then_some(3),
        slow_calls: number.is_multiple_of(3).then_some(SlowCalls {
            threshold: ms(60 + drift),
            ratio: 0.5,
        }),
        judge_successes: instance % 5 == 4,
        open: OpenTime {
            base: ms(50 + dice.below(100)),
            multiplier: 1.5,
            max: ms(400),
            jitter: Jitter::PlusMinus(0.3),
            decay: ms(500),
        },
        half_open: HalfOpen {
            permits,
            concurrent: 1 + dice.below(u64::from(permits)) as u16,
            close_on: if number.is_multiple_of(4) {
                CloseOn::Successes(1 + dice.below(u64::from(permits)) as u16)
            } else {
                CloseOn::Ratios
            },
            decide_early: number.is_multiple_of(2),
            lease: Some(ms(120)),
            dedicated_probes: false,
        },
        on_drop: if number.is_multiple_of(7) {
            OnDrop::Failure
        } else {
            OnDrop::Ignore
        },
        mode: match Twist::of(number, instance) {
            Twist::Observes => Mode::MetricsOnly,
            _ => Mode::Enforcing,
        },
        stripes: [1, 2, 5, 9][(instance % 4) as usize],
        ..BreakerConfig::new()
    }
}

/// One call, as its span tells it.
pub struct Called {
    pub start: u64,
    pub length: u64,
    pub outcome: &'static str,
    /// What it met.
    pub state: &'static str,
    /// When its breaker's clock was at its origin.
    pub clock: u64,
    /// The turn in which it was let through or refused.
    pub admitted: u64,
    /// The turn in which its result counted.
    pub ended: Option<u64>,
}

/// What one instance did.
#[derive(Default)]
pub struct Story {
    pub calls: Vec<Called>,
    pub changes: Vec<(u64, Transition)>,
    pub told: Vec<(u64, BreakerConfig)>,
}

struct Live {
    dice: Dice,
    seed: u64,
    config: BreakerConfig,
    machine: Machine,
    /// When the machine was made: its clock counts from then.
    made: u64,
    now: u64,
    outage: Range<u64>,
    running: Vec<Option<(Admission, u64)>>,
    /// By time, and of the same time as the dice have it.
    ends: BinaryHeap<Reverse<(u64, u64, usize)>>,
    /// Its clock is coarse: much happens in the same nanosecond, in any order.
    is_coarse: bool,
    turns: u64,
    story: Story,
}

/// How finely an instance's clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticks {
    Fine,
    Coarse,
}

/// Drives a machine with these settings through its calls.
pub fn live(twist: Twist, ticks: Ticks, config: BreakerConfig, seed: u64) -> Story {
    let mut dice = Dice(seed ^ 0xabcd);
    let outage = 500 * MS + dice.below(700 * MS)..1_400 * MS + dice.below(600 * MS);
    let (first, second) = (30 + dice.below(40), 90 + dice.below(30));
    let mut live = Live {
        dice,
        seed,
        config,
        machine: made(config, seed),
        made: 0,
        now: 0,
        outage,
        running: Vec::new(),
        ends: BinaryHeap::new(),
        is_coarse: ticks == Ticks::Coarse,
        turns: 0,
        story: Story {
            told: vec![(0, config)],
            ..Story::default()
        },
    };
    for number in 0..CALLS {
        match twist {
            Twist::Reconfigured if number == first => live.reconfigure(),
            Twist::Overruled(mode) if number == first => live.overrule(mode),
            Twist::Overruled(_) if number == second => live.overrule(Mode::Enforcing),
            Twist::Restarted if number == first => live.restart(config),
            Twist::Renewed if number == first => live.restart(renewed(config)),
            _ => {}
        }
        live.call();
    }
    live.pass(u64::MAX);
    live.story
}

fn made(config: BreakerConfig, seed: u64) -> Machine {
    Machine::new(config.seed(seed), Moment::ZERO).expect("settings that work")
}

/// The same with another window.
fn renewed(config: BreakerConfig) -> BreakerConfig {
    config.window(match config.window {
        WindowConfig::Time { length, buckets } => WindowConfig::Time {
            length: length + Duration::from_millis(150),
            buckets,
        },
        WindowConfig::Count { size } => WindowConfig::Count { size: size + 3 },
    })
}

impl Live {
    fn moment(&self, at: u64) -> Moment {
        Moment::from_nanos(at - self.made)
    }

    /// A little later.
    fn step(&mut self) -> u64 {
        self.now += 1 + self.dice.below(5 * MS);
        let now = self.now;
        self.pass(now);
        now
    }

    /// A time of less than that, or of whole grains up to it.
    fn time_below(&mut self, most: u64) -> u64 {
        if self.is_coarse {
            GRAIN * self.dice.below(most / GRAIN + 1)
        } else {
            self.dice.below(most)
        }
    }

    fn turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    fn call(&mut self) {
        self.now += u64::from(!self.is_coarse) + self.time_below(40 * MS);
        let now = self.now;
        self.pass(now);
        let admitted = self.turn();
        let (when, made) = (self.moment(now), self.made);
        let changes = &mut self.story.changes;
        let answer = self.machine.admit(when, &mut |change| {
            changes.push((made + change.at.as_nanos(), *change));
        });
        let mut called = Called {
            start: now,
            length: 0,
            outcome: "rejected",
            state: "closed",
            clock: made,
            admitted,
            ended: None,
        };
        match answer {
            Ok(admission) => {
                let is_long = self.dice.below(6) == 0;
                let longest = if is_long { 200 * MS } else { 60 * MS };
                let least = if self.is_coarse { 0 } else { 5 * MS };
                called.length = least + self.time_below(longest);
                let index = self.running.len();
                let order = if self.is_coarse {
                    self.dice.below(9)
                } else {
                    0
                };
                self.ends.push(Reverse((now + called.length, order, index)));
                self.running.push(Some((admission, now)));
            }
            Err(rejection) => {
                called.state = rejection.reason.as_str();
                self.running.push(None);
            }
        }
        self.story.calls.push(called);
    }

    /// Ends the calls that end by then; of those that end at that very nanosecond of a coarse clock, some.
    fn pass(&mut self, until: u64) {
        while let Some(&Reverse((end, _, index))) = self.ends.peek() {
            let is_late = end == until && self.is_coarse && self.dice.below(2) == 0;
            if end > until || is_late {
                break;
            }
            self.ends.pop();
            self.finish(end, index);
        }
    }

    fn finish(&mut self, at: u64, index: usize) {
        let Some((admission, start)) = self.running[index].take() else {
            return;
        };
        self.now = self.now.max(at);
        let turn = self.turn();
        let fails =
            self.outage.contains(&start) && self.dice.below(10) < 8 || self.dice.below(20) == 0;
        let (when, made) = (self.moment(at), self.made);
        let called = &mut self.story.calls[index];
        called.ended = Some(turn);
        called.state = match self.machine.state(when) {
            state @ (State::MetricsOnly | State::ForcedOpen | State::Disabled) => state,
            _ if admission.is_probe() => State::HalfOpen,
            State::Closed | State::Open | State::HalfOpen => State::Closed,
        }
        .as_str();
        let changes = &mut self.story.changes;
        let announce = &mut |change: &Transition| {
            changes.push((made + change.at.as_nanos(), *change));
        };
        if self.dice.below(12) == 0 {
            called.outcome = "cancelled";
            self.machine
                .cancel(admission, false, when, CallId::default, announce);
            return;
        }
        let ending = match (fails, self.dice.below(25)) {
            (_, 0) => Outcome::Ignore,
            (true, 1..6) => Outcome::Overload {
                retry_after: Some(Duration::from_millis(70)),
            },
            (true, _) => Outcome::Failure,
            (false, _) => Outcome::Success,
        };
        called.outcome = match ending {
            Outcome::Success => "success",
            Outcome::Ignore => "ignored",
            Outcome::Failure | Outcome::Overload { .. } => "failure",
        };
        self.machine
            .record(admission, ending, when, CallId::default, announce);
    }

    /// Somebody loads other settings, which leave the window alone.
    fn reconfigure(&mut self) {
        let now = self.step();
        let before = self.config;
        self.config = BreakerConfig {
            minimum_calls: before.minimum_calls + 2,
            failure_ratio: before.failure_ratio.map(|ratio| ratio / 2.0),
            consecutive_failures: before.consecutive_failures.map(|count| count + 1),
            judge_successes: !before.judge_successes,
            half_open: HalfOpen {
                permits: before.half_open.permits + 1,
                ..before.half_open
            },
            ..before
        };
        let (when, made) = (self.moment(now), self.made);
        let changes = &mut self.story.changes;
        self.machine
            .reconfigure(self.config, when, &mut |change| {
                changes.push((made + change.at.as_nanos(), *change));
            })
            .expect("settings that work");
        self.story.told.push((now, self.config));
    }

    /// Somebody says who decides.
    fn overrule(&mut self, mode: Mode) {
        let now = self.step();
        self.config.mode = mode;
        let (when, made) = (self.moment(now), self.made);
        let changes = &mut self.story.changes;
        self.machine.set_mode(mode, when, &mut |change| {
            changes.push((made + change.at.as_nanos(), *change));
        });
        self.story.told.push((now, self.config));
    }

    /// The process ends, when its calls have, and begins anew; there the callee fails once more.
    fn restart(&mut self, config: BreakerConfig) {
        self.pass(u64::MAX);
        self.now += 1_100 * MS + self.dice.below(400 * MS);
        self.made = self.now;
        self.turns = 0;
        self.config = config;
        self.machine = made(config, self.seed + 1);
        self.outage = self.now + 200 * MS..self.now + 1_200 * MS;
        self.story.told.push((self.now, config));
    }
}
