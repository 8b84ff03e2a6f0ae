//! Calls that no span tells: of several calls of one breaker under one span the last is told.
//!
//! A breaker numbers its turns without a gap: a call that it lets through takes one where it begins and one where it ends, a
//! refused call takes one. So a turn that no call has was another's. Of calls that began before what was read, or that ran on
//! after it, turns are missing too: those within the length of the longest call from either end are not looked at.

use super::history::{Call, Turns};

/// Whether turns between those of these calls, which are in the order they began, are of none of them. Where a call does not
/// say its turns, or several breakers count theirs, nothing is known.
pub(super) fn has_untold(calls: &[Call]) -> bool {
    let is_told = calls.iter().all(|call| call.turns != Turns::UNKNOWN);
    if !is_told || !calls.is_sorted_by(|a, b| a.turns.admitted < b.turns.admitted) {
        return false;
    }
    let longest = calls.iter().map(|call| call.duration).max().unwrap_or(0);
    let (Some(earliest), Some(latest)) = (calls.first(), calls.iter().map(Call::end).max()) else {
        return false;
    };
    let from = earliest.start.saturating_add_unsigned(longest);
    let until = latest.saturating_sub_unsigned(longest);
    let begin = calls.partition_point(|call| call.start <= from);
    let end = calls.partition_point(|call| call.start < until);
    let Some([first, .., last]) = calls.get(begin..end) else {
        return false;
    };
    let turns = first.turns.admitted..=last.turns.admitted;
    let told = calls.iter().map(|call| {
        let Turns { admitted, ended } = call.turns;
        let is_end_apart = ended != admitted && turns.contains(&ended);
        u64::from(turns.contains(&admitted)) + u64::from(is_end_apart)
    });
    told.sum::<u64>() < turns.end() - turns.start() + 1
}

#[cfg(test)]
mod tests {
    use super::super::history::Ended;
    use super::*;

    const MS: i64 = 1_000_000;

    /// Calls a millisecond apart that take two and a half, every tenth refused: a turn for each beginning and each end.
    fn story() -> Vec<Call> {
        let call = |number: i64| {
            let is_refused = number % 10 == 9;
            Call {
                start: number * MS,
                duration: if is_refused { 0 } else { 2_500_000 },
                ended: if is_refused {
                    Ended::Rejected
                } else {
                    Ended::Success
                },
                turns: Turns::UNKNOWN,
            }
        };
        let mut calls: Vec<Call> = (0..100).map(call).collect();
        let mut moments: Vec<(i64, usize)> = Vec::new();
        for (at, call) in calls.iter().enumerate() {
            moments.push((call.start, at));
            if call.ended != Ended::Rejected {
                moments.push((call.end(), at));
            }
        }
        moments.sort_unstable();
        for (turn, (time, at)) in (1..).zip(moments) {
            let call = &mut calls[at];
            if time == call.start {
                call.turns.admitted = turn;
            }
            call.turns.ended = turn;
        }
        calls
    }

    #[test]
    fn a_turn_that_no_call_has_was_that_of_a_call_that_no_span_tells() {
        let all = story();
        assert!(!has_untold(&all));
        // What began before, or ran on after, is not missing.
        assert!(!has_untold(&all[20..80]));
        assert!(!has_untold(&all[..3]));
        assert!(!has_untold(&[]));
        let last_of_two: Vec<Call> = all.iter().skip(1).step_by(2).copied().collect();
        assert!(has_untold(&last_of_two));
        for lost in [40, 49] {
            let others = [&all[..lost], &all[lost + 1..]].concat();
            assert!(has_untold(&others), "{lost}");
        }
    }

    #[test]
    fn where_turns_are_not_told_or_are_of_several_breakers_nothing_is_concluded() {
        let all = story();
        let mut silent = [&all[..40], &all[41..]].concat();
        silent[10].turns = Turns::UNKNOWN;
        assert!(!has_untold(&silent));
        let two_breakers: Vec<Call> = all
            .iter()
            .step_by(2)
            .flat_map(|call| [*call, *call])
            .collect();
        assert!(!has_untold(&two_breakers));
    }
}
