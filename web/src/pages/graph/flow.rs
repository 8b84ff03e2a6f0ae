//! What flows along an edge: passed, failed and refused calls as parallel bands, as wide as their shares.

use leptos::prelude::*;
use tripline_storage::model::GraphEdge;

/// The least width of a band that stands for any call at all: a lone failure is seen.
const BAND_MIN: f64 = 1.1;

/// Calls of an edge by what became of them. Those of spans are what the spans stand for: breakers count every call that
/// they refuse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// Answered without an error.
    pub passed: f64,
    /// Answered with an error, or not at all.
    pub failed: f64,
    /// Never sent: a breaker refused them.
    pub refused: u64,
}

impl Flow {
    /// Of an edge. Refused calls are those its breakers count, or spans tell of where these do not.
    pub fn of(edge: &GraphEdge) -> Self {
        let counts = edge.counts();
        let breakers = || edge.breakers.iter();
        let as_failed: u64 = breakers().map(|breaker| breaker.rejected_as_failed).sum();
        Self {
            passed: counts.all() - counts.failed(),
            failed: (counts.failed() - as_failed as f64).max(0.0),
            refused: breakers().filter_map(|breaker| breaker.rejected).sum(),
        }
    }

    /// Calls somebody wanted to make.
    pub fn attempted(self) -> f64 {
        self.passed + self.failed + self.refused as f64
    }

    /// Share of the attempts that came to nothing, 0 to 1.
    pub fn lost_share(self) -> f64 {
        let all = self.attempted();
        if all > 0.0 {
            (self.failed + self.refused as f64) / all
        } else {
            0.0
        }
    }

    /// Class, offset across the edge and width of each band, from above; `width` is that of all.
    fn bands(self, width: f64) -> Vec<(&'static str, f64, f64)> {
        let all = self.attempted().max(1.0);
        let wide: Vec<(&str, f64)> = [
            ("passed", self.passed),
            ("failed", self.failed),
            ("refused", self.refused as f64),
        ]
        .into_iter()
        .filter(|(_, calls)| *calls > 0.0)
        .map(|(class, calls)| (class, (width * calls / all).max(BAND_MIN)))
        .collect();
        let sum: f64 = wide.iter().map(|(_, width)| width).sum();
        let mut at = -sum / 2.0;
        wide.into_iter()
            .map(|(class, width)| {
                at += width;
                (class, at - width / 2.0, width)
            })
            .collect()
    }

    /// The bands as they are drawn: busier ones are wider.
    fn drawn(self) -> Vec<(&'static str, f64, f64)> {
        self.bands((1.5 + (self.attempted() + 1.0).log10() * 1.1).min(8.0))
    }

    /// Width of all bands as they are drawn.
    pub fn width(self) -> f64 {
        self.drawn().iter().map(|(_, _, width)| width).sum()
    }

    /// The bands along a curve, given as the four points of a cubic.
    pub fn draw(self, curve: [(f64, f64); 4], class: &str) -> AnyView {
        let [(x1, y1), (bx, by), (cx, cy), (x2, y2)] = curve;
        let path = |offset: f64| {
            let (y1, by, cy, y2) = (y1 + offset, by + offset, cy + offset, y2 + offset);
            format!("M{x1:.0} {y1:.1}C{bx:.0} {by:.1} {cx:.0} {cy:.1} {x2:.0} {y2:.1}")
        };
        let bands = self.drawn();
        if bands.is_empty() {
            return view! { <path class=format!("edge idle {class}") d=path(0.0) stroke-width="1" marker-end="url(#arrow)"></path> }.into_any();
        }
        let middle = bands.len() / 2;
        bands
            .into_iter()
            .enumerate()
            .map(|(at, (kind, offset, width))| {
                let arrow = (at == middle).then_some("url(#arrow)");
                view! { <path class=format!("edge {kind} {class}") d=path(offset) stroke-width=format!("{width:.1}") marker-end=arrow></path> }
            })
            .collect_view()
            .into_any()
    }
}

#[cfg(test)]
mod tests {
    use leptos::serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn bands_share_the_width_and_a_lone_failure_is_seen() {
        let flow = Flow {
            passed: 900.0,
            failed: 1.0,
            refused: 99,
        };
        let bands = flow.bands(8.0);
        let widths: Vec<f64> = bands.iter().map(|(_, _, width)| *width).collect();
        assert_eq!(
            bands.iter().map(|(class, ..)| *class).collect::<Vec<_>>(),
            ["passed", "failed", "refused"]
        );
        assert!(
            (widths[0] - 7.2).abs() < 0.01 && widths[1] == BAND_MIN && widths[2] == BAND_MIN,
            "{widths:?}"
        );
        // They touch: none covers its neighbour.
        assert!((bands[0].1 + widths[0] / 2.0 - (bands[1].1 - widths[1] / 2.0)).abs() < 1e-9);
        assert!((flow.lost_share() - 0.1).abs() < 1e-9);
    }

    #[test]
    fn a_refused_call_that_has_a_span_of_its_own_is_no_failed_one_too() {
        let breaker = |rejected: u64, as_failed: u64| {
            json!({"breaker_id": "b", "name": "b", "key": null, "state": "open", "instances": 1, "instances_open": 1,
                "peer_evidence": "edge", "rejected": rejected, "rejected_basis": "spans", "rejected_as_failed": as_failed})
        };
        let flow = |breakers: Value| {
            let edge = json!({"caller": 0, "callee": 1, "kind": "service", "is_async": false, "calls": 100, "errors": 30,
                "weight": 100.0, "error_weight": 30.0, "basis": "all", "latency": {}, "breakers": breakers});
            let edge: GraphEdge = from_value(edge).expect("the shape of the model");
            let flow = Flow::of(&edge);
            (flow.passed, flow.failed, flow.refused)
        };
        assert_eq!(flow(json!([])), (70.0, 30.0, 0));
        assert_eq!(flow(json!([breaker(20, 0)])), (70.0, 30.0, 20));
        assert_eq!(flow(json!([breaker(20, 12)])), (70.0, 18.0, 20));
        // Those that were estimated may be more than those that were counted.
        assert_eq!(flow(json!([breaker(40, 40)])), (70.0, 0.0, 40));
    }

    #[test]
    fn nothing_attempted_is_nothing_lost() {
        let none = Flow {
            passed: 0.0,
            failed: 0.0,
            refused: 0,
        };
        assert!(none.bands(8.0).is_empty());
        assert_eq!(none.lost_share(), 0.0);
    }
}
