//! Refused calls of breakers that count none themselves, as spans tell them: each once, and for the breaker that it was.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use duckdb::Connection;

use super::super::QueryError;
use super::super::breakers::Guard;
use super::super::sample::Sample;
use super::{Key, ReadSpan, RefusedSpans, scope_of};
use crate::model::TimeRange;
use crate::resilience::{SampleRow, Subject};
use crate::store::SegmentSet;

/// Spans among which they are looked for, about; of more, a share of the traces is read.
const SPANS_MAX: f64 = 100_000.0;
/// Errors are not followed further up.
const DEPTH_MAX: usize = 64;

/// Counts the calls that breakers refused in a range, for those of them that do not themselves.
pub(in crate::query) fn count(
    set: &SegmentSet,
    conn: &Connection,
    range: TimeRange,
    guards: &mut [Guard],
    uncounted: &BTreeSet<String>,
) -> Result<(), QueryError> {
    let services: BTreeSet<String> = guards
        .iter()
        .filter(|guard| uncounted.contains(&guard.breaker.breaker_id))
        .map(|guard| guard.service.clone())
        .collect();
    if services.is_empty() {
        return Ok(());
    }
    let sample = Sample::of(set, conn, range, SPANS_MAX)?;
    let refused = RefusedSpans::of(set, conn, range, &services, sample)?;
    let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for calls in refused.calls() {
        let Some(at) = breaker_of(guards, &calls.sample.subject) else {
            continue;
        };
        let weight = calls.of.weight.unwrap_or(1.0) * sample.one_in as f64;
        let (all, as_failed) = sums.entry(at).or_default();
        *all += weight;
        *as_failed += if calls.of.is_call { weight } else { 0.0 };
    }
    for (at, (all, as_failed)) in sums {
        let breaker = &mut guards[at].breaker;
        if uncounted.contains(&breaker.breaker_id) {
            breaker.rejected = Some(all.round() as u64);
            breaker.rejected_basis = Some("spans".to_owned());
            breaker.rejected_as_failed = as_failed.round() as u64;
        }
    }
    Ok(())
}

/// The breaker that refused: the one of that name, else the only one it can have been.
fn breaker_of(guards: &[Guard], subject: &Subject) -> Option<usize> {
    let id = subject.breaker_id();
    if let Some(at) = guards
        .iter()
        .position(|guard| guard.breaker.breaker_id == id)
    {
        return Some(at);
    }
    let scope = scope_of(subject);
    let service = subject.service_name.as_deref().unwrap_or_default();
    let callees = [Some(&subject.name), subject.peer_service.as_ref()];
    let can_be = |guard: &Guard| {
        let mut callees = callees.iter().flatten();
        guard.service == service
            && guard.scope == scope
            && guard.breaker.pattern == subject.pattern
            && (subject.name.is_empty() || callees.any(|callee| guard.guards_calls_to(callee)))
    };
    let mut found = (0..guards.len()).filter(|at| can_be(&guards[*at]));
    found.next().filter(|_| found.next().is_none())
}

/// Calls that were refused.
struct RefusedCalls<'a> {
    sample: &'a SampleRow,
    of: ReadSpan,
}

/// A refused call that has no span of a call: nobody was called, and the span around it has the library's error.
pub(in crate::query) struct LoneRefusal<'a> {
    /// Who refused, when, and on which span.
    pub sample: &'a SampleRow,
    /// Calls it stands for, if its span says so.
    pub weight: Option<f64>,
}

impl RefusedSpans {
    /// Each refused call once, however far up its error went.
    fn calls(&self) -> Vec<RefusedCalls<'_>> {
        let mut on_span: HashMap<Key, Vec<usize>> = HashMap::new();
        for (at, sample) in self.found.iter().enumerate() {
            on_span.entry(key(sample)).or_default().push(at);
        }
        let mut is_echo = vec![false; self.found.len()];
        for (at, sample) in self.found.iter().enumerate() {
            for span in self.above(&key(sample)) {
                for &above in on_span.get(&span).into_iter().flatten() {
                    match nearer(&self.found[above].subject, &sample.subject) {
                        Some(Nearer::Below) => is_echo[above] = true,
                        Some(Nearer::Above) => is_echo[at] = true,
                        None => {}
                    }
                }
            }
        }
        let told = self.found.iter().zip(is_echo);
        told.filter(|(_, is_echo)| !is_echo)
            .map(|(sample, _)| RefusedCalls {
                sample,
                of: self.read.get(&key(sample)).cloned().unwrap_or_default(),
            })
            .collect()
    }

    /// Each refused call once: who refused and when, and how many calls its span stands for.
    pub(in crate::query) fn weighed(&self) -> Vec<(&SampleRow, f64)> {
        let calls = self.calls().into_iter();
        calls
            .map(|call| (call.sample, call.of.weight.unwrap_or(1.0)))
            .collect()
    }

    /// Trace and span of every refusal that its own service tells; not those up to which the error of another's came.
    pub(in crate::query) fn own(&self) -> BTreeSet<(String, String)> {
        let service = |sample: &SampleRow| sample.subject.service_name.clone();
        let tells: BTreeMap<Key, Option<String>> = self
            .found
            .iter()
            .map(|sample| (key(sample), service(sample)))
            .collect();
        let mut own: BTreeSet<Key> = tells.keys().cloned().collect();
        for (span, service) in &tells {
            for above in self.above(span) {
                if tells.get(&above).is_some_and(|of| of != service) {
                    own.remove(&above);
                }
            }
        }
        own
    }

    /// The refused calls of one breaker of `guards` that no span of a call tells: neither the span they were found on nor one
    /// above or below it that has the error too is the caller's span of a call.
    pub(in crate::query) fn lone(
        &self,
        guards: &[Guard],
        breaker_id: &str,
    ) -> Vec<LoneRefusal<'_>> {
        let is_call = |span: &Key| self.read.get(span).is_some_and(|read| read.is_call);
        let of_calls: BTreeSet<Key> = self.found.iter().map(key).filter(is_call).collect();
        let around: BTreeSet<Key> = of_calls.iter().flat_map(|span| self.above(span)).collect();
        let is_lone = |span: &Key| {
            let is_told = of_calls.contains(span) || around.contains(span);
            !is_told && !self.above(span).any(|above| of_calls.contains(&above))
        };
        let is_its_own = |sample: &SampleRow| {
            let at = breaker_of(guards, &sample.subject);
            at.is_some_and(|at| guards[at].breaker.breaker_id == breaker_id)
        };
        self.calls()
            .into_iter()
            .filter(|call| is_lone(&key(call.sample)) && is_its_own(call.sample))
            .map(|call| LoneRefusal {
                sample: call.sample,
                weight: call.of.weight,
            })
            .collect()
    }

    /// The spans above one, the nearest first, as far as those below them were read.
    fn above(&self, span: &Key) -> impl Iterator<Item = Key> {
        let parent = move |span: &Key| {
            let parent = self.read.get(span)?.parent.clone()?;
            Some((span.0.clone(), parent))
        };
        std::iter::successors(parent(span), parent).take(DEPTH_MAX)
    }
}

/// Which of two spans of one path is nearer to who refused.
enum Nearer {
    Above,
    Below,
}

/// Of one refusal that both tell of; `None` where they tell of two.
fn nearer(above: &Subject, below: &Subject) -> Option<Nearer> {
    let is_one_service = above.service_name == below.service_name;
    let is_one_breaker = (&above.name, &above.key) == (&below.name, &below.key);
    if !is_one_service || above.name.is_empty() || is_one_breaker {
        Some(Nearer::Below)
    } else if below.name.is_empty() {
        Some(Nearer::Above)
    } else {
        None
    }
}

fn key(sample: &SampleRow) -> Key {
    let id = |id: &Option<String>| id.clone().unwrap_or_default();
    (id(&sample.trace_id), id(&sample.span_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A span of a trace: its id, its parent, and who refused.
    type Told = (
        &'static str,
        Option<&'static str>,
        &'static str,
        &'static str,
    );

    /// Service and name of each call that is counted.
    fn counted(told: &[Told]) -> Vec<(String, String)> {
        let spans = RefusedSpans {
            found: told
                .iter()
                .map(|(span, _, service, name)| SampleRow {
                    subject: Subject {
                        service_name: Some((*service).to_owned()),
                        name: (*name).to_owned(),
                        ..Subject::default()
                    },
                    trace_id: Some("t".to_owned()),
                    span_id: Some((*span).to_owned()),
                    ..SampleRow::default()
                })
                .collect(),
            read: told
                .iter()
                .map(|(span, parent, ..)| {
                    let of_it = ReadSpan {
                        parent: parent.map(str::to_owned),
                        ..ReadSpan::default()
                    };
                    (("t".to_owned(), (*span).to_owned()), of_it)
                })
                .collect(),
        };
        let calls = spans.calls();
        let name = |calls: &RefusedCalls<'_>| {
            let subject = &calls.sample.subject;
            let service = subject.service_name.clone().unwrap_or_default();
            (service, subject.name.clone())
        };
        calls.iter().map(name).collect()
    }

    /// Spans, and the service and the name of each call that was refused.
    type Case<'a> = (&'a [Told], &'a [(&'a str, &'a str)]);

    #[test]
    fn an_error_counts_once_where_it_was_refused_and_not_where_it_went_up_to() {
        let cases: [Case<'_>; 6] = [
            // The error of a span in all that are above it.
            (
                &[
                    ("root", None, "cart", ""),
                    ("pay", Some("root"), "cart", ""),
                ],
                &[("cart", "")],
            ),
            (
                &[
                    ("root", None, "cart", ""),
                    ("pay", Some("root"), "cart", "bank"),
                ],
                &[("cart", "bank")],
            ),
            // What is above has the name.
            (
                &[
                    ("root", None, "cart", "bank"),
                    ("pay", Some("root"), "cart", ""),
                ],
                &[("cart", "bank")],
            ),
            (
                &[
                    ("root", None, "cart", "bank"),
                    ("pay", Some("root"), "cart", "bank"),
                ],
                &[("cart", "bank")],
            ),
            // The caller is told of it, and calls its callee by name.
            (
                &[
                    ("call", None, "shop", "cart"),
                    ("serve", Some("call"), "cart", ""),
                ],
                &[("cart", "")],
            ),
            // Two tries beside each other, and two breakers of one path.
            (
                &[
                    ("root", None, "cart", "all"),
                    ("a", Some("root"), "cart", "bank"),
                    ("b", Some("root"), "cart", "bank"),
                ],
                &[("cart", "all"), ("cart", "bank"), ("cart", "bank")],
            ),
        ];
        for (told, expected) in cases {
            let expected: Vec<(String, String)> = expected
                .iter()
                .map(|(service, name)| ((*service).to_owned(), (*name).to_owned()))
                .collect();
            assert_eq!(counted(told), expected, "{told:?}");
        }
        // A circle ends.
        let circle = counted(&[("a", Some("b"), "cart", ""), ("b", Some("a"), "cart", "")]);
        assert!(circle.len() <= 2);
    }
}
