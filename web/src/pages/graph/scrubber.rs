//! The graph through time: the range in steps, one of which may be chosen.

use leptos::prelude::*;
use tripline_storage::model::PulsePoint;

use crate::chart::{time_label, utc_words};
use crate::frame::Frame;
use crate::islands::StepSlider;
use crate::units;

/// Height of the tallest column, in the units of its drawing.
const HIGH: f64 = 26.0;

/// The steps of the range and the chosen one.
#[derive(Debug, Clone, Default)]
pub struct Scrubber {
    /// Start of the first step, nanoseconds since the epoch.
    pub from_ns: u64,
    /// Length of each, nanoseconds.
    pub width_ns: u64,
    /// Calls of all services in each, oldest first.
    pub steps: Vec<PulsePoint>,
    /// The one that is shown; `None` shows the whole range.
    pub chosen: Option<usize>,
}

impl Scrubber {
    /// Start of a step.
    fn start(&self, step: usize) -> u64 {
        self.from_ns + self.width_ns * step as u64
    }

    /// Length of all steps.
    fn length(&self) -> u64 {
        self.width_ns * self.steps.len() as u64
    }
}

/// The strip: a column a step, each a link to the graph as it was then.
pub fn strip(scrubber: &Scrubber, frame: &Frame) -> Option<AnyView> {
    if scrubber.steps.len() < 2 {
        return None;
    }
    let all = scrubber.steps.iter().map(|step| step.counts().all());
    let most = all.fold(1.0, f64::max);
    let columns = scrubber
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let start = scrubber.start(at);
            let link = frame.with(&[("at", &units::timestamp(start, 3))]);
            let words = format!(
                "{}: {}, {} failed",
                utc_words(start, scrubber.length()),
                units::counted(step.calls, "call"),
                units::count(step.errors)
            );
            let high = HIGH * step.counts().all() / most;
            let failed = HIGH * step.counts().failed() / most;
            let current = (scrubber.chosen == Some(at)).then_some("step");
            view! {
                <a href=link title=words.clone() aria-label=words aria-current=current>
                    <svg viewBox=format!("0 0 10 {HIGH}") preserveAspectRatio="none" aria-hidden="true">
                        <rect class="step-ok" x="1" y=HIGH - high width="8" height=high></rect>
                        <rect class="step-failed" x="1" y=HIGH - failed width="8" height=failed></rect>
                    </svg>
                </a>
            }
        })
        .collect_view();
    let (word, all) = match scrubber.chosen {
        Some(at) => (step_label(scrubber, at), Some(frame.with(&[("at", "")]))),
        None => ("The whole range".into_any(), None),
    };
    let all = all.map(|link| view! { <a href=link>"whole range"</a> });
    Some(
        view! {
            <nav class="scrubber" aria-label="The graph through time">
                <div class="scrubber-steps">{columns}</div>
                <p class="quiet">{word} " " {all}</p>
            </nav>
        }
        .into_any(),
    )
}

/// The ends of a step: with their seconds, or with their day where the range has several.
fn step_label(scrubber: &Scrubber, step: usize) -> AnyView {
    const DAY_NS: u64 = 86_400_000_000_000;
    let span = if scrubber.length() > DAY_NS {
        scrubber.length()
    } else {
        0
    };
    let end = |at: usize| time_label(scrubber.start(at), span);
    view! { {end(step)} " to " {end(step + 1)} }.into_any()
}

/// The slider and the play button, where the bundle runs.
pub fn slider(scrubber: &Scrubber) -> Option<AnyView> {
    (scrubber.steps.len() > 1).then(|| {
        let starts: Vec<String> = (0..scrubber.steps.len())
            .map(|at| units::timestamp(scrubber.start(at), 3))
            .collect();
        view! { <StepSlider starts=starts chosen=scrubber.chosen/> }.into_any()
    })
}
