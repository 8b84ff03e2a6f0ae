//! What-if: where it has no answer, what it says of the baseline, and what stands beside what happened.

use tripline_storage::model::{Baseline, Outcome, WhatIf};

use super::incident_data::what_if_of;
use super::*;

#[test]
fn what_if_says_why_it_refuses_and_shows_no_number() {
    let refused = WhatIf {
        refused: Some("About 10 % of this breaker's calls are stored".to_owned()),
        ..what_if_of("cart")
    };
    let html = render(&frame("/breakers/cart/x/whatif", &[]), "cart", |f| {
        what_if(&refused, f)
    });
    assert!(
        html.contains("Not replayed") && html.contains("About 10 %"),
        "{html}"
    );
    assert!(
        !html.contains("Against what happened") && !html.contains("reproduces"),
        "{html}"
    );
}

#[test]
fn times_to_detect_and_to_recover_stand_against_what_happened() {
    let took = |detect_s: u64, recover_s: u64| Outcome {
        detect_ns: Some(detect_s * 1_000_000_000),
        recover_ns: Some(recover_s * 1_000_000_000),
        ..Outcome::default()
    };
    let data = WhatIf {
        happened: took(11, 12),
        recorded: took(13, 14),
        edited: None,
        proposals: Vec::new(),
        ..what_if_of("cart")
    };
    let html = render(&frame("/breakers/cart/x/whatif", &[]), "cart", |f| {
        what_if(&data, f)
    });
    for (row, seconds) in [("Time to detect", [11, 13]), ("Time to recover", [12, 14])] {
        let (_, cells) = html.split_once(row).expect("a row");
        let (cells, _) = cells.split_once("</tr>").expect("its end");
        let shown: Vec<String> = cells
            .split("<td")
            .skip(1)
            .filter_map(|cell| cell.split('≈').nth(1)?.split('<').next())
            .map(|text| text.trim().to_owned())
            .collect();
        let expected = seconds.map(|seconds| crate::units::duration(seconds * 1_000_000_000));
        assert_eq!(shown, expected, "{row}: {cells}");
    }
}

#[test]
fn trips_that_did_not_happen_weaken_the_baseline() {
    let page = |extra: u32| {
        let data = WhatIf {
            baseline: Baseline {
                extra,
                sentence: "reproduces 0 of 0 recorded trips".to_owned(),
                ..Baseline::default()
            },
            ..what_if_of("cart")
        };
        render(&frame("/breakers/cart/x/whatif", &[]), "cart", |f| {
            what_if(&data, f)
        })
    };
    let (calm, made_up) = (page(0), page(50));
    assert!(calm.contains("verdict fine") && !calm.contains("Under 90 %"));
    assert!(made_up.contains("verdict warn") && made_up.contains("Under 90 %"));
}
